"""Ternary weights: what they are, what their gradient is, and that a run with them is a run."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import SMALL, after_step, call, left_behind, tiny_run, write_corpus

from teenygpt_np import TeenyGPT
from teenygpt_np.config import make_config
from teenygpt_np.model.mixers import MIXERS
from teenygpt_np.model.ternary import Ternary, ternary
from teenygpt_np.run_directory import load_run

V, T, D = 7, 12, 8


def plain(**settings: Any) -> TeenyGPT:
    return TeenyGPT(T, V, D, 2, 2, 0.0, 2, dtype=np.float64, **settings)


def with_ternary(**settings: Any) -> TeenyGPT:
    model = plain(**settings)
    model.ternary = Ternary(model)
    return model


@pytest.fixture
def ids(rng: np.random.Generator) -> Any:
    return rng.integers(0, V, (3, T))


@given(st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4))
def test_each_is_the_nearest_of_three(numbers: list[float]) -> None:
    w = np.array(numbers, np.float32).reshape(2, 2)
    integers, g = ternary(w)
    assert g.dtype == np.float32
    assert g == pytest.approx(max(sum(map(abs, numbers)) / 4, 1e-5), rel=1e-6)
    for x, n in zip(w.ravel(), integers.ravel(), strict=True):
        assert abs(x - g * n) <= min(abs(x - g * m) for m in (-1, 0, 1)) + 1e-6 * g


def test_the_blocks_matrices_alone_are_rounded_each_with_a_scale_of_its_own() -> None:
    model = with_ternary()
    before, after = model.state_dict(), model.effective_state()
    rounded = {name for name in before if not np.array_equal(before[name], after[name])}
    assert rounded == set(model.marked("muon"))
    assert rounded == {
        name for name in before if name.startswith("transformer_b") and "weight" in name
    } - {name for name in before if "norm" in name}
    name = "transformer_blocks.1.msha.in_proj_weight"
    for part, rounded_part in zip(np.split(before[name], 3), np.split(after[name], 3), strict=True):
        g = np.abs(part).mean()
        assert set(np.unique(rounded_part / g).round(12)) == {-1, 0, 1}
    assert len({np.abs(part).max() for part in np.split(after[name], 3)}) == 3


@pytest.mark.parametrize("mixer", MIXERS)
def test_its_scores_and_gradients_are_those_of_the_rounded_weights(ids: Any, mixer: str) -> None:
    """Straight-through: the gradient of W is that of g W~."""
    model, other = with_ternary(mixers=(mixer,)), plain(mixers=(mixer,))
    other.load_state_dict(model.effective_state())
    losses = [m.loss(ids) for m in (model, other)]
    assert losses[0].item() == losses[1].item()
    for loss in losses:
        loss.backward()
    names = dict(model.named_parameters())
    for name, parameter in other.named_parameters():
        ours, theirs = np.asarray(names[name].grad), np.asarray(parameter.grad)
        np.testing.assert_allclose(ours, theirs, atol=1e-14, err_msg=name)
    assert np.any(names["transformer_blocks.0.mlp.0.weight"].grad)


def test_the_weights_that_learn_are_there_again_even_after_an_error(ids: Any) -> None:
    model = with_ternary()
    before = dict(model.named_parameters())
    model(ids)
    with pytest.raises(IndexError):
        model(ids + V)
    assert all(parameter is before[name] for name, parameter in model.named_parameters())


def test_a_weight_that_moves_little_changes_nothing_until_it_is_rounded_elsewhere(ids: Any) -> None:
    model = with_ternary()
    matrix = dict(model.named_parameters())["transformer_blocks.0.mlp.0.weight"]
    _, g = ternary(matrix.data)
    before, w = model(ids).data, matrix.data.copy()
    i, j = np.argwhere((w > 0.6 * g) & (w < 0.9 * g))[0]
    k, m = np.argwhere((w > 1.1 * g) & (w < 1.4 * g))[0]
    # Two weights that move against each other leave g as it is.
    for by, same in ((0.05 * g, True), (0.4 * g, False)):
        matrix.data = w.copy()
        moved = w.copy()
        moved[i, j] -= by
        moved[k, m] += by
        matrix.data = moved
        assert np.allclose(model(ids).data, before, rtol=0, atol=1e-12) == same


# -- runs ------------------------------------------------------------------------------------------

FLAGS = ["--weights=ternary", "--dropout=0.1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("ternary"), *FLAGS)


def score(run: Path, data: Path) -> Any:
    done = call("evaluate", run, "--data", data, "--json")
    assert done.status == 0, done
    return json.loads(done.out)["model"]


def test_it_is_a_run(run: Path, tmp_path: Path) -> None:
    assert load_run(run).model.ternary
    for command in ("sample", "evaluate", "inspect"):
        done = call(command, run)
        assert (done.status, done.err) == (0, "")
    data, more = write_corpus(tmp_path), tmp_path / "more"
    done = call(
        "finetune", run, "--data", data, "--lr=1e-30", "--max-steps=1", "--quiet", "--out", more
    )
    assert (done.status, done.err) == (0, "")
    assert score(more, data) == score(run, data)


def test_it_is_resumed_to_the_bit(run: Path, tmp_path: Path) -> None:
    data, out = run.parent / "lines.txt", tmp_path / "parts"
    with after_step(4, lambda: signal.raise_signal(signal.SIGTERM)):
        done = call("train", "--data", data, "--out", out, *SMALL, "--epochs=2", "--quiet", *FLAGS)
    assert done.status == 128 + signal.SIGTERM
    assert call("train", "--resume", out, "--quiet").status == 0
    ours, whole = left_behind(out), left_behind(run)
    assert [name for name in whole if ours[name] != whole[name]] == []


def test_it_is_exported_as_it_is_used(run: Path, tmp_path: Path) -> None:
    file, data = tmp_path / "model.safetensors", write_corpus(tmp_path)
    assert call("export", run, "--to=safetensors", "--out", file).status == 0
    assert call("import", file, "--out", tmp_path / "plain").status == 0
    other = load_run(tmp_path / "plain")
    assert other.config.weights == "float32"
    assert other.model.ternary is None
    assert score(tmp_path / "plain", data) == score(run, data)


def test_it_learns_faster_unless_told_otherwise(run: Path) -> None:
    plain, config = make_config("tiny"), load_run(run).config
    assert config.lr == plain.lr * 2.5
    assert make_config("tiny", weights="ternary", lr=0.5).lr == 0.5


def test_refused(run: Path, tmp_path: Path) -> None:
    data = write_corpus(tmp_path)
    done = call("finetune", run, "--data", data, "--lora-rank=1", "--out", tmp_path / "a")
    done.assert_refused("--lora-rank is 1, wanted 0 with ternary weights")
    call("train", "--data", data, "--weights=2").assert_refused("float32.*ternary")
    assert not (tmp_path / "a").exists()
