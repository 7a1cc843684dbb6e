"""Training with experts: the balance in the loss and nowhere else, the load, and going on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from running import after_step, left_behind
from trainers import load, make, metrics, padded, resumed, rows, run, trained

from teenygpt_np import run_directory
from teenygpt_np.model.layers import Experts
from teenygpt_np.scores import scores
from teenygpt_np.text.corpus import Corpus
from teenygpt_np.training.loop import Trainer
from teenygpt_np.training.objectives import next_token

BLOCKS = 2
ROUNDING = 1e-5  # relative, of a loss near 60 in float32

each_k = pytest.mark.parametrize("k", [1, 2])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(tmp_path_factory.mktemp("corpus"))


def layers(made: Trainer) -> list[Experts]:
    blocks = [block.mlp for block in made.model.transformer_blocks]
    experts = [mlp for mlp in blocks if isinstance(mlp, Experts)]
    assert len(experts) == BLOCKS
    return experts


@each_k
def test_each_token_s_loss_has_a_hundredth_of_each_layer_s_imbalance(
    corpus: Corpus, k: int
) -> None:
    made = make(corpus, experts=4, active_experts=k, num_blocks=BLOCKS, dropout=0.0)
    batch = made.objective.batch(rows(corpus, "train"), np.arange(16), made.rngs["model"])
    for layer in layers(made):  # so lopsided that it could not be lost in rounding
        layer.router.weight.data = 100 * layer.router.weight.data
    minimized, nats, units = made.objective.loss(made.model, batch)
    loss = minimized.item()
    pure = made.model.loss(batch.ids, batch.counted).item()
    added = 0.0
    tokens = batch.counted.sum() / 16  # of a row
    for layer in layers(made):
        assert layer.routing
        added += 0.01 * tokens * layer.routing.imbalance.item()
    assert added > 0.01 * tokens * BLOCKS * k
    assert loss == pytest.approx(pure + added, rel=ROUNDING)
    assert loss - pure > added / 2
    assert (nats, units) == (16 * pure, 16)


def test_the_balance_moves_a_router_towards_equal_shares(corpus: Corpus) -> None:
    made = make(corpus, experts=4, num_blocks=BLOCKS, dropout=0.0)
    batch = made.objective.batch(rows(corpus, "train"), np.arange(16), made.rngs["model"])
    made.model.loss(batch.ids, batch.counted)
    for layer in layers(made):
        assert layer.routing
        before = layer.routing.imbalance
        made.model.zero_grad()
        before.backward()
        grad = layer.router.weight.grad
        assert grad is not None
        layer.router.weight.data = layer.router.weight.data - 0.01 * grad / np.linalg.norm(grad)
        made.model.loss(batch.ids, batch.counted)
        assert layer.routing.imbalance.item() < before.item()


@each_k
def test_scores_know_nothing_of_the_balance(corpus: Corpus, tmp_path: Path, k: int) -> None:
    made = trained(corpus, tmp_path / "run", experts=4, active_experts=k, epochs=1)
    want = scores(made.model, rows(corpus, "val"))
    nll = made.model.eval().loss(padded(corpus, "val")).item()
    assert want["nll"] == pytest.approx(nll, rel=ROUNDING)
    [record] = metrics(tmp_path / "run")
    assert {name: record[f"val_{name}"] for name in want} == want


@each_k
def test_the_training_loss_that_is_told_is_without_the_balance(
    corpus: Corpus, tmp_path: Path, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for balance in (0, 1e6):
        monkeypatch.setattr(next_token, "BALANCE", balance)
        out = tmp_path / str(balance)
        trained(corpus, out, experts=4, active_experts=k, epochs=1, max_steps=1)
        told.append(metrics(out)[0]["train_nll"])
    assert told[0] == told[1]


@each_k
def test_the_fullest_expert_s_share_is_in_the_metrics(
    corpus: Corpus, tmp_path: Path, k: int
) -> None:
    flags = {"experts": 4, "active_experts": k, "num_blocks": BLOCKS}
    made = trained(corpus, tmp_path / "run", **flags)
    for record in metrics(tmp_path / "run"):
        shares = record["fullest_experts"]
        assert list(shares) == [f"transformer_blocks.{i}.mlp" for i in range(BLOCKS)]
        assert all(k / 4 <= share <= 1 for share in shares.values())
    last = [layer.routing.load.max() for layer in layers(made) if layer.routing]
    assert list(shares.values()) == last
    assert "fullest_experts" in (tmp_path / "run" / run_directory.REPORT).read_text("utf-8")


@each_k
def test_going_on_gives_the_same_bits(corpus: Corpus, tmp_path: Path, k: int) -> None:
    """Some experts are chosen in some steps only, so their optimizers have taken fewer."""
    flags = {"experts": 8, "active_experts": k, "dropout": 0.2, "num_blocks": BLOCKS}
    trained(corpus, tmp_path / "whole", **flags)
    made = make(corpus, **flags)
    with after_step(4, lambda: setattr(made, "stop_signal", 15)):
        run(made, tmp_path / "parts")
    assert (made.place.step, made.place.finished) == (4, False)
    run(resumed(corpus, tmp_path / "parts", **flags), tmp_path / "parts")
    ours, want = (left_behind(tmp_path / name) for name in ("parts", "whole"))
    assert ours.keys() == want.keys()
    assert [name for name in want if ours[name] != want[name]] == []
