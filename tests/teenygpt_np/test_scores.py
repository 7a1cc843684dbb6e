"""Scores of a split, compared with the same computed one row at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rows import counted, rows_of

from teenygpt_np import TeenyGPT, scores
from teenygpt_np.scores import scores as score

Array = np.ndarray[Any, np.dtype[Any]]

V, T = 7, 9


@pytest.fixture
def model() -> TeenyGPT:
    """A model with logits large enough that some predictions are right."""
    made = TeenyGPT(T, V, 8, 2, 2, 0.5, 2, rng=np.random.default_rng(4), dtype=np.float64)
    made.logits.layers[0].weight.data = made.logits.layers[0].weight.data * 5
    return made


@pytest.fixture
def ids(rng: np.random.Generator) -> Array:
    """More than two batches of rows, of every length from none to all tokens."""
    made = rng.integers(1, V - 1, (150, T))
    made[:, 0] = V - 1
    for i, length in enumerate(rng.integers(1, T + 1, 150)):
        made[i, length:] = 0
    return made


def naive(model: TeenyGPT, ids: Array) -> dict[str, float]:
    model.eval()
    rows: dict[str, list[float]] = {k: [] for k in ("nll", "nll_no_pad", "top1", "top1_no_pad")}
    for row in ids:
        log_probs = model.log_probs(row[None, :-1]).data[0]
        nll, hits = [], []
        for t in range(T - 1):
            nll.append(-log_probs[t, row[t + 1]])
            hits.append(log_probs[t].argmax() == row[t + 1])
        until = next((t + 1 for t in range(T - 1) if row[t + 1] == 0), T - 1)
        rows["nll"].append(sum(nll))
        rows["nll_no_pad"].append(sum(nll[:until]))
        rows["top1"].append(sum(hits) / (T - 1))
        rows["top1_no_pad"].append(sum(hits[:until]) / until)
    return {name: sum(values) / len(ids) for name, values in rows.items()}


@pytest.mark.usefixtures("backend")
def test_scores_are_means_over_headlines(model: TeenyGPT, ids: Array) -> None:
    ours, want = score(model, rows_of(ids, V)), naive(model, ids)
    assert list(ours) == [*want, "nats_per_character", "bits_per_byte"]
    assert len(set(want.values())) == 4
    for name, value in want.items():
        assert isinstance(ours[name], float)
        np.testing.assert_allclose(ours[name], value, rtol=1e-12, err_msg=name)  # sums of 150


def test_scores_agree_with_loss_and_top1(model: TeenyGPT, ids: Array) -> None:
    ours = score(model, rows_of(ids, V))
    model.eval()
    for suffix, ignore in (("", False), ("_no_pad", True)):
        # Sums of 150 rows in another order.
        which = counted(ids) if ignore else None
        loss = model.loss(ids, which).item()
        np.testing.assert_allclose(ours["nll" + suffix], loss, rtol=1e-12)
        top1 = model.top1(ids, which).mean()
        np.testing.assert_allclose(ours["top1" + suffix], top1, rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 150, 1000])
def test_batches_make_no_difference(
    model: TeenyGPT, ids: Array, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = score(model, rows_of(ids, V))

    def in_batches(rows: Array) -> list[Array]:
        return [rows[start : start + batch] for start in range(0, len(rows), batch)]

    monkeypatch.setattr(scores, "in_batches", in_batches)
    ours = score(model, rows_of(ids, V))
    for name, value in want.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-12)  # sums in another order


def test_one_headline(model: TeenyGPT) -> None:
    row = np.array([[V - 1, 3, 0, 0, 0, 0, 0, 0, 0]])
    want = naive(model, row)
    ours = score(model, rows_of(row, V))
    for name, value in want.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-12)


def test_no_dropout_no_gradients_and_the_mode_is_left(model: TeenyGPT, ids: Array) -> None:
    training = score(model.train(), rows_of(ids, V))
    assert model.training
    assert model.dropout.training
    assert score(model.eval(), rows_of(ids, V)) == training
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_mode_is_left_where_scoring_fails(model: TeenyGPT, ids: Array) -> None:
    with pytest.raises(IndexError, match=r"outside 0\.\.6"):
        score(model.train(), rows_of(ids + 1, V))
    assert model.training
