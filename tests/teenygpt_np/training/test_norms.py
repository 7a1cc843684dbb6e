"""Norms by layer, compared with plain sums, and what a training records of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rows import counted
from trainers import gradients, load, make, metrics, padded, trained

from teenygpt_np.text.corpus import Corpus
from teenygpt_np.training.norms import norms_by_layer, update_ratios

ARRAYS = {
    "embedding.weight": np.array([[3.0, 4.0]], np.float32),
    "transformer_blocks.1.mlp.0.weight": np.array([[1.0, 2.0]], np.float32),
    "transformer_blocks.10.mlp.0.weight": np.array([[7.0]], np.float32),
    "transformer_blocks.1.mlp.2.bias": np.array([2.0], np.float32),
    "logits.0.bias": np.zeros(3, np.float32),
}
LAYERS = ["embedding", "transformer_blocks.1", "transformer_blocks.10", "logits"]
LENGTHS = {
    "embedding": 5.0,
    "transformer_blocks.1": 3.0,
    "transformer_blocks.10": 7.0,
    "logits": 0.0,
}


def test_a_layer_is_what_its_arrays_have_in_common() -> None:
    assert norms_by_layer(ARRAYS, LAYERS) == LENGTHS


def test_no_square_is_too_large() -> None:
    assert norms_by_layer({"a.weight": np.full(4, 1e30, np.float32)}, ["a"])["a"] == pytest.approx(
        2e30
    )


def test_update_is_a_share_of_the_weights_before() -> None:
    after = {name: 1.5 * array for name, array in ARRAYS.items()}
    after["logits.0.bias"] = np.ones(3, np.float32)
    assert update_ratios(ARRAYS, after, LAYERS) == dict.fromkeys(LENGTHS, 0.5) | {"logits": 0.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("clip", [0.5, 0.0])
def test_what_a_step_does_to_each_layer(corpus: Corpus, tmp_path: Path, clip: float) -> None:
    """Of the last step of an epoch, here the only one; the gradient is measured before clipping."""
    before = make(corpus).model.state_dict()
    made = trained(corpus, tmp_path / "a", clip_grad_norm=clip, max_steps=1)
    (told,) = metrics(tmp_path / "a")
    assert told["grad_norm"] == pytest.approx(np.hypot.reduce(list(told["grad_norms"].values())))
    assert told["grad_norm"] > 1
    scale = clip / told["grad_norm"] if clip else 1.0
    layers = {"embedding": "embedding.", "transformer_blocks.0": "transformer_blocks.0."}
    layers |= {"logits": "logits."}
    assert told["grad_norms"].keys() == told["update_ratios"].keys() == layers.keys()
    for layer, prefix in layers.items():
        params = {n: p for n, p in made.model.named_parameters() if n.startswith(prefix)}
        grad = np.concatenate([p.grad.ravel() for p in params.values()])
        was = np.concatenate([before[name].ravel() for name in params])
        now = np.concatenate([p.numpy().ravel() for p in params.values()])
        norm = np.linalg.norm
        assert told["grad_norms"][layer] * scale == pytest.approx(norm(grad), rel=1e-5)  # float32
        assert told["update_ratios"][layer] == pytest.approx(norm(now - was) / norm(was), rel=1e-5)


def test_an_epoch_tells_the_mean_and_the_layers_of_its_last_step(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Two epochs of three batches; the learning rate is too small to change a bit."""
    settings = {"lr": 1e-30, "dropout": 0.0, "epochs": 2}
    done = trained(corpus, tmp_path / "a", **settings)
    model = done.model
    order = make(corpus, **settings)
    for told in metrics(tmp_path / "a"):
        norms = []
        for which in order._order():
            ids = padded(corpus, "train")[which]
            model.zero_grad()
            model.loss(ids, counted(ids)).backward()
            norms.append(np.linalg.norm([np.linalg.norm(grad) for grad in gradients(done)]))
        order.place.order_state = order.rngs["batches"].bit_generator.state
        assert told["grad_norm"] == pytest.approx(np.mean(norms), rel=1e-5)
        last = np.linalg.norm(list(told["grad_norms"].values()))
        assert last == pytest.approx(norms[-1], rel=1e-5)
        assert abs(last - norms[0]) > 1e-3
