"""One position through a transformer's blocks; each thread has sequences of its own."""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.layer_norm import norm_row
from minigrad.kernels.compiled.matmul import set_product
from minigrad.kernels.compiled.mlp import set_units

_UNITS = 256  # hidden units of the MLP at a time


def decode(x, blocks, keys, values, position, eps):
    """See the reference."""
    y = np.array(x, order="C")
    spans = threads.blocks(len(y), len(y) * blocks[0].size)
    team.run(_decode, spans, y, *blocks, keys, values, position, y.dtype.type(eps))
    return y


@jit
def _decode(
    x,
    in_w,
    in_b,
    out_w,
    out_b,
    norm1_w,
    norm1_b,
    w1,
    b1,
    w2,
    b2,
    norm2_w,
    norm2_b,
    keys,
    values,
    position,
    eps,
    part,
    start,
    stop,
):
    x = x[start:stop]
    rows, width = x.shape
    heads = keys.shape[2]
    qkv, attended = np.empty((rows, 3 * width), x.dtype), np.empty((rows, width), x.dtype)
    parts = qkv.reshape(rows, 3, heads, width // heads)
    by_head = attended.reshape(rows, heads, width // heads)
    z = np.empty((rows, width), x.dtype)
    p = np.empty(position + 1, x.dtype)
    for block in range(len(in_w)):
        now = slice(block, block + 1)  # of biases, to be added to every row
        set_product(qkv, in_b[now], x, in_w[block])
        for i in range(rows):
            for h in range(heads):
                q, k, v = parts[i, 0, h], parts[i, 1, h], parts[i, 2, h]
                seen = keys[block, start + i, h], values[block, start + i, h]
                _attend(q, k, v, *seen, p, by_head[i, h])
        set_product(z, out_b[now], attended, out_w[block])
        _add_and_norm(x, z, norm1_w[block], norm1_b[block], eps)
        for unit in range(0, max(w1.shape[2], 1), _UNITS):
            units = slice(unit, unit + _UNITS)
            weights = w1[block, :, units], b1[now, units], w2[block, units]
            set_units(z, z if unit else b2[now], x, *weights)
        _add_and_norm(x, z, norm2_w[block], norm2_b[block], eps)


@jit
def _attend(q, k, v, keys, values, p, out):
    """Store this position's key and value, p's last, and attend to all up to there.

    Positions lie side by side in memory, since there are more of them than a head is wide.
    """
    count, size = len(p), len(q)
    kind = p.dtype.type
    scale, largest, total = kind(1 / math.sqrt(size)), kind(-np.inf), kind(0)
    p[:] = 0
    for d in range(size):
        keys[d, count - 1], values[d, count - 1] = k[d], v[d]
        scaled = q[d] * scale
        for s in range(count):
            p[s] += scaled * keys[d, s]
    for s in range(count):
        largest = max(largest, p[s])
    for s in range(count):
        p[s] = exp(p[s] - largest)
        total += p[s]
    for d in range(size):
        mean = kind(0)
        for s in range(count):
            mean += p[s] * values[d, s]
        out[d] = mean / total


@jit
def _add_and_norm(x, z, weight, bias, eps):
    """x = LayerNorm(x + z)"""
    for i in range(len(x)):
        for j in range(x.shape[1]):
            x[i, j] += z[i, j]
        norm_row(x, i, weight, bias, eps, x)
