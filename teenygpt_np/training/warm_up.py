"""Compile all kernels before anything is timed."""

from __future__ import annotations

import dataclasses

import numpy as np

import minigrad as mg
from teenygpt_np.config import Config
from teenygpt_np.model.building import build_model
from teenygpt_np.training.objectives import Objective
from teenygpt_np.training.optimizers import make_optimizers

_TOKENS = 32
_LARGE = 1 << 15  # numbers in a head's keys: with more no kernel is chosen by their size any more


def warm_up(config: Config, objective: Objective) -> None:
    """Take a step and a score with a tiny model like the configured one, then drop that model.

    Kernels are compiled for a dtype, not for sizes; but a few rows would take shortcuts that skip
    some kernels, so the batch has `_TOKENS` tokens, and there are two experts at most. Attention
    has a kernel for few positions and narrow heads, and one for others: where the longest rows may
    need the latter, a head as wide as the configured ones takes a step as well.
    """
    _take_step(config, objective, _TOKENS, _TOKENS)
    width = config.num_emb // config.num_heads
    if config.num_tokens * width > _TOKENS * _TOKENS:
        _take_step(config, objective, min(config.num_tokens, -(-_LARGE // width)), width)


def _take_step(config: Config, objective: Objective, num_tokens: int, width: int) -> None:
    tiny = dataclasses.replace(
        config,
        num_tokens=num_tokens,
        num_emb=width,
        num_heads=1,
        num_neurons=1,
        num_blocks=len(config.mixers),
        lora_rank=min(config.lora_rank, width),
        experts=min(config.experts, 2),
        active_experts=min(config.active_experts, 2),
    )
    rng = np.random.default_rng(0)
    model = build_model(tiny, objective.tokenizer.num_token_vals, rng)
    split = objective.trial(num_tokens)
    batch = objective.batch(split, split.in_order, rng)
    with np.errstate(all="ignore"):  # a step by a huge learning rate overflows
        objective.loss(model, batch).minimized.backward()
        for optimizer in make_optimizers(model, tiny).values():
            optimizer.step()
        mg.log_softmax(np.ones((2, 3), np.float32))  # for scores
