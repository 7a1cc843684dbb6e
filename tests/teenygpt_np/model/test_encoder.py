"""A model that sees both ways: padding, hidden tokens, gradients, and filling in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from teenygpt_np import TeenyGPT
from teenygpt_np.model.mixers import MIXERS

V, T = 7, 12
EACH = pytest.mark.parametrize("positions", ["learned", "none"])


@pytest.fixture
def ids(rng: np.random.Generator) -> Any:
    return rng.integers(0, V, (3, T))


def encoder(positions: str = "learned", **settings: Any) -> TeenyGPT:
    sizes: dict[str, Any] = {
        "num_emb": 8,
        "num_neurons": 2,
        "num_heads": 2,
        "num_blocks": 2,
        "dropout_prob": 0.0,
    }
    return TeenyGPT(
        T, V, **sizes, positions=positions, with_mask=True, dtype=np.float64, **settings
    )


@EACH
def test_padding_changes_nothing(ids: Any, positions: str) -> None:
    model, lengths = encoder(positions), np.array([5, 12, 1])
    whole = model(ids, lengths=lengths).data
    other = ids.copy()
    other[np.arange(T) >= lengths[:, None]] = 0
    np.testing.assert_array_equal(whole[0, :5], model(other, lengths=lengths).data[0, :5])
    for row, length in enumerate(lengths):
        alone = model(ids[row : row + 1, :length], lengths=lengths[row : row + 1]).data[0]
        np.testing.assert_allclose(alone, whole[row, :length], atol=1e-12)


@EACH
def test_each_token_sees_the_whole_row(ids: Any, positions: str) -> None:
    model, lengths = encoder(positions), np.full(3, T)
    before = model(ids, lengths=lengths).data
    ids[:, -1] = (ids[:, -1] + 1) % V
    assert (before != model(ids, lengths=lengths).data).any(axis=2).all()


def test_what_is_hidden_is_not_seen(ids: Any) -> None:
    """The loss of a masked token is by its target, and by nothing else that knows it."""
    model, lengths = encoder(), np.full(3, T)
    masked = np.zeros(ids.shape, bool)
    masked[:, 4] = True
    shown = np.where(masked, model.mask, ids)
    p = mg.log_softmax(model(shown, lengths=lengths)).data[:, 4]
    loss = model.masked_loss(shown, ids, masked, lengths).item()
    assert loss == pytest.approx(-p[np.arange(3), ids[:, 4]].sum(), rel=1e-12)
    other = np.where(masked, (ids + 1) % V, ids)
    again = model.masked_loss(shown, other, masked, lengths).item()
    assert again == pytest.approx(-p[np.arange(3), other[:, 4]].sum(), rel=1e-12)


def test_gradients_are_those_of_differences(ids: Any) -> None:
    model, lengths = encoder(), np.array([5, 12, 3])
    masked = (np.arange(T) % 3 == 1) & (np.arange(T) < lengths[:, None])
    shown = np.where(masked, model.mask, ids)
    parameters = model.parameters()

    model.masked_loss(shown, ids, masked, lengths).backward()
    rng, h = np.random.default_rng(1), 1e-6
    values = [p.numpy() for p in parameters]
    directions = [rng.standard_normal(v.shape) for v in values]
    want = sum((np.asarray(p.grad) * d).sum() for p, d in zip(parameters, directions, strict=True))
    ends = []
    for sign in (1, -1):
        for p, v, d in zip(parameters, values, directions, strict=True):
            p.data = v + sign * h * d
        ends.append(model.masked_loss(shown, ids, masked, lengths).item())
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(want, rel=1e-7)


def test_the_mask_moves_no_other_weight() -> None:
    """The embedding has a row more, the logits have not."""
    plain, masked = (
        TeenyGPT(T, V, 8, 2, 2, with_mask=with_mask).state_dict() for with_mask in (False, True)
    )
    shapes = [{name: a.shape for name, a in state.items()} for state in (plain, masked)]
    assert shapes[1] == shapes[0] | {"embedding.weight": (V + 1, 8)}


@pytest.mark.parametrize("name", sorted(set(MIXERS) - {"attention"}))
def test_other_mixers_do_not_see_both_ways(ids: Any, name: str) -> None:
    with pytest.raises(ValueError, match="a mixer sees only what came before"):
        encoder(mixers=("attention", name))(ids, lengths=np.full(3, T))


# -- filling in ------------------------------------------------------------------------------------


def test_blanks_are_filled_and_the_rest_stays(ids: Any) -> None:
    model, lengths = encoder(), np.array([12, 5, 9])
    blanks = (np.arange(T) % 4 == 1) & (np.arange(T) < lengths[:, None])
    given = np.where(blanks, model.mask, ids)
    rng = np.random.default_rng(0)
    filled = model.fill(given, lengths, special=[0, 6], rng=rng)
    np.testing.assert_array_equal(filled[~blanks], ids[~blanks])
    assert not np.isin(filled[blanks], [0, 6, model.mask]).any()
    same = model.fill(given, lengths, special=[0, 6], rng=np.random.default_rng(0))
    np.testing.assert_array_equal(filled, same)


def test_the_likeliest_is_filled_in_from_left_to_right(ids: Any) -> None:
    model, lengths = encoder(), np.full(3, T)
    given = ids.copy()
    given[:, [3, 7]] = model.mask
    filled = model.fill(given, lengths, special=[], temperature=0)
    want = given.copy()
    for t in (3, 7):  # the second knows the first
        want[:, t] = model(want, lengths=lengths).data[:, t].argmax(axis=1)
    np.testing.assert_array_equal(filled, want)
