"""Attention weights, states, predictions, and which tokens each loss is sensitive to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, TracedNode
from teenygpt_np.inspector.pack import number, packed
from teenygpt_np.inspector.tape import Tape
from teenygpt_np.model.mixers import Mixer
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.tokenizer import Tokenizer

_LIKELIEST = 5


def attention(tape: Tape) -> list[dict[str, Any]]:
    """Per block: its mixer's weights (H, T, T) and their gradients, if it has such weights."""
    blocks = []
    for name, mixer, nodes in _mixers(tape):
        if maps := mixer.attention_maps(tape.graph, nodes):
            weights, grads = maps
            blocks.append(
                {
                    "name": name,
                    "part": mixer.part,
                    "weights": [packed(head, lower=True) for head in weights],
                    "grads": [packed(head, lower=True) for head in grads],
                }
            )
    return blocks


def states(tape: Tape) -> list[dict[str, Any]]:
    """Per block: its mixer's state (D, T), a column per token, and its gradient, if it has one."""
    blocks = []
    for name, mixer, nodes in _mixers(tape):
        if maps := mixer.state_map(tape.graph, nodes):
            values, grads = maps
            blocks.append({"name": name, "values": packed(values.T), "grads": packed(grads.T)})
    return blocks


def _mixers(tape: Tape) -> Iterator[tuple[str, Mixer, list[TracedNode]]]:
    """The mixers with their names and the operations that ran in them."""
    for name, mixer in tape.mixers():
        yield name, mixer, [n for n in tape.graph.nodes if n.operation and mixer in n.scope]


def prediction(model: TeenyGPT, tokenizer: Tokenizer, tape: Tape) -> dict[str, Any]:
    """Per position: the likeliest next tokens, the loss in nats, and what it is sensitive to."""
    with mg.no_grad():
        log_probs = model.log_probs(tape.ids[:, :-1]).data[0]
    targets = tape.ids[0, 1:]
    signs = tokenizer.signs(range(tokenizer.num_token_vals))
    positions = []
    for row, target in zip(log_probs, targets, strict=True):
        likeliest = np.argsort(-row, kind="stable")[:_LIKELIEST]
        positions.append(
            {
                "loss": number(-row[target]),
                "top": [[signs[i], number(math.exp(row[i]))] for i in likeliest],
            }
        )
    return {
        "signs": tokenizer.signs(tape.ids[0]),
        "positions": positions,
        "sensitivity": packed(sensitivity(model, tape.ids), lower=True),
    }


def sensitivity(model: TeenyGPT, ids: Array) -> Array:
    """|d loss[t] / d embedding[s]|, the norm of that gradient.    ids: (1, T + 1) -> (T, T)

    Computed with one batch of T copies of the row; of copy t only the loss of position t counts.
    """
    T = ids.shape[1] - 1
    with mg.tracing():
        losses = model.loss(np.repeat(ids, T, axis=0), reduction="none")
        losses.backward(np.eye(T))
    nodes = mg.trace(losses).nodes
    [embedded] = [n.grad for n in nodes if n.operation and model.embedding in n.scope]
    assert embedded is not None
    result: Array = np.linalg.norm(embedded, axis=-1)
    return result
