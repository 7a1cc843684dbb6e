"""What the model looked at, what it expected, and which characters its losses hang on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.inspector.pack import number, packed
from teenygpt_np.inspector.tape import Tape, characters
from teenygpt_np.model.layers import Dropout
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.characters import Tokenizer

_LIKELIEST = 5


def attention(tape: Tape) -> list[dict[str, Any]]:
    """Per block: the weights (H, T, T), and the gradients of the loss with respect to them."""
    blocks = []
    for node in tape.graph.nodes:
        if node.operation == "causal_attention":
            inputs = [e.source for e in tape.graph.edges if e.target == node.id]
            q, k, v = (np.asarray(tape.graph.nodes[i].value) for i in inputs)
            assert node.grad is not None
            weights, grads = attention_weights(q, k, v, node.grad)
            path = tape.modules[node.id]
            blocks.append(
                {
                    "name": path[-1][0] if path else "",
                    "weights": [packed(head, lower=True) for head in weights[0]],
                    "grads": [packed(head, lower=True) for head in grads[0]],
                }
            )
    return blocks


def attention_weights(q: Array, k: Array, v: Array, dout: Array) -> tuple[Array, Array]:
    """p = softmax(q k^T / sqrt(d), masked), and dp = dout v^T.    (B, H, T, d) -> (B, H, T, T)

    What the fused kernel computes in passing and does not keep.
    """
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    allowed = np.tril(np.ones(scores.shape[-2:], bool))
    scores = np.where(allowed, scores, -np.inf)  # mg.softmax would be compiled for this alone
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True), np.where(allowed, dout @ v.swapaxes(-1, -2), 0)


def prediction(model: TeenyGPT, tokenizer: Tokenizer, tape: Tape) -> dict[str, Any]:
    """Per position: the likeliest next tokens, the loss, and what it is sensitive to."""
    with mg.no_grad():
        log_probs = model.log_probs(tape.ids[:, :-1]).data[0]
    targets = tape.ids[0, 1:]
    signs = characters(tokenizer, range(tokenizer.num_token_vals))
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
        "signs": characters(tokenizer, tape.ids[0]),
        "positions": positions,
        "sensitivity": packed(sensitivity(model, tape.ids), lower=True),
    }


def sensitivity(model: TeenyGPT, ids: Array) -> Array:
    """|d loss[t] / d embedding[s]|, the length of that gradient.    ids: (1, T + 1) -> (T, T)

    One headline for each position, in one batch, each with the loss of its own position alone.
    """
    T = ids.shape[1] - 1
    with mg.tracing():
        losses = model.loss(np.repeat(ids, T, axis=0), reduction="none")
        losses.backward(np.eye(T))
    embedded = [
        node.grad
        for node in mg.trace(losses).nodes
        if node.operation and any(isinstance(module, Dropout) for module in node.scope)
    ]
    assert len(embedded) == 1
    assert embedded[0] is not None
    result: Array = np.linalg.norm(embedded[0], axis=-1)
    return result
