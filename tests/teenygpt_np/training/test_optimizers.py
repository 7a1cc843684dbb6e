"""Which optimizer trains which parameter, and the learning-rate schedule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from trainers import TINY

from minigrad.optim import AdamW, Muon
from teenygpt_np.config import make_config
from teenygpt_np.model.building import build_model
from teenygpt_np.model.layers import LayerNorm
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.training.optimizers import make_optimizers, make_schedule


@pytest.fixture
def model() -> TeenyGPT:
    return build_model(TINY, 9, np.random.default_rng(0))


def test_what_a_module_keeps_from_decay_gets_none(
    model: TeenyGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LayerNorm, "no_decay", ("weight", "bias"))
    made = make_optimizers(model, TINY)
    assert list(made) == ["adamw", "muon", "adamw-no-decay"]
    block = model.transformer_blocks[0]
    norms = [p for norm in (block.layer_norm1, block.layer_norm2) for p in norm.parameters()]
    kept = made["adamw-no-decay"]
    assert isinstance(kept, AdamW)
    assert [id(p) for p in kept.params] == [id(p) for p in norms]
    assert kept.weight_decay == 0
    assert sum(len(optimizer.params) for optimizer in made.values()) == len(model.parameters())


def test_a_frozen_parameter_gets_no_optimizer(model: TeenyGPT) -> None:
    for block in model.transformer_blocks:
        for parameter in block.parameters():
            parameter.requires_grad = False
    made = make_optimizers(model, TINY)
    assert list(made) == ["adamw"]
    named = {id(p): name for name, p in model.named_parameters()}
    assert {named[id(p)].partition(".")[0] for p in made["adamw"].params} == {
        "embedding",
        "logits",
    }


def test_one_optimizer_for_all_of_the_article_s_model() -> None:
    made = make_optimizers(build_model(TINY, 9, np.random.default_rng(0)), make_config("article"))
    assert list(made) == ["adamw"]
    assert not any(isinstance(optimizer, Muon) for optimizer in made.values())


def test_the_schedule_ends_at_the_last_step() -> None:
    config = make_config("small", warmup_steps=10)
    schedule = make_schedule(config, 100)
    assert schedule(0) == pytest.approx(0.01 / 10, rel=0.01)
    assert schedule(100) == 0
    part = make_schedule(dataclasses.replace(config, decay_to=0.25), 100)
    assert part(100) == pytest.approx(0.25 * config.lr)
