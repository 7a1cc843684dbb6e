"""Sampling from blocks with attention: one position goes through all of them in one kernel.

Through the modules, nearly all the time would be spent on calling a dozen operations per block for
one position. This file uses parts of `minigrad.kernels.compiled`, so it needs Numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad import Array, threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.layer_norm import norm_row
from minigrad.kernels.compiled.mlp import set_units
from minigrad.kernels.compiled.product import set_product
from teenygpt_np.model.layers import MLP, angles_of

_UNITS = 256  # hidden units of the MLP at a time


class _Weights(NamedTuple):
    """The parameters of all L blocks, each kind in one array, matrices as (inputs, outputs)."""

    in_w: Any  # (L, D, 3D)
    in_b: Any  # (L, 3D)
    out_w: Any  # (L, D, D)
    out_b: Any  # (L, D)
    norm1_w: Any  # (L, D)
    norm1_b: Any  # (L, D)
    mlp1_w: Any  # (L, D, N)
    mlp1_b: Any  # (L, N)
    mlp2_w: Any  # (L, N, D)
    mlp2_b: Any  # (L, D)
    norm2_w: Any  # (L, D)
    norm2_b: Any  # (L, D)


def _of_block(block: Any) -> _Weights:
    attention, (first, _, last) = block.mixer_module, block.mlp.layers
    tensors = _Weights(
        in_w=attention.in_proj_weight,
        in_b=attention.in_proj_bias,
        out_w=attention.out_proj.weight,
        out_b=attention.out_proj.bias,
        norm1_w=block.layer_norm1.weight,
        norm1_b=block.layer_norm1.bias,
        mlp1_w=first.weight,
        mlp1_b=first.bias,
        mlp2_w=last.weight,
        mlp2_b=last.bias,
        norm2_w=block.layer_norm2.weight,
        norm2_b=block.layer_norm2.bias,
    )
    return _Weights(*[tensor.data.T for tensor in tensors])


def fused_step(
    blocks: Sequence[Any], batch_size: int, num_positions: int
) -> Callable[[Array], Array] | None:
    """A function from x (B, D) of the next position to y (B, D) after all blocks.

    The weights are copied, so a later change of them does not change the function. It can be called
    num_positions times. None if the blocks differ in heads, eps or whether they turn q and k, or
    have another kind of MLP.
    """
    turns = {block.mixer_module.rotary for block in blocks}
    heads = {block.mixer_module.num_heads for block in blocks}
    eps = {norm.eps for block in blocks for norm in (block.layer_norm1, block.layer_norm2)}
    differ = max(map(len, (heads, eps, turns))) > 1
    if differ or any(type(block.mlp) is not MLP for block in blocks):
        return None
    weights = _Weights(
        *[np.array(kind, order="C") for kind in zip(*map(_of_block, blocks), strict=True)]
    )
    (L, D, _), dtype, num_heads = weights.out_w.shape, weights.out_w.dtype, heads.pop()
    keys, values = np.zeros((2, L, batch_size, num_heads, D // num_heads, num_positions), dtype)
    angles = angles_of(np.arange(num_positions if turns.pop() else 0), keys.shape[3])
    turn = np.stack([np.cos(angles), np.sin(angles)]).astype(dtype)
    spans = threads.blocks(batch_size, batch_size * weights.in_w.size)
    eps_of_dtype, position = dtype.type(eps.pop()), 0

    def step(x: Array) -> Array:
        nonlocal position
        y = np.array(x, dtype, order="C")
        team.run(_step, spans, y, weights, turn, keys, values, position, eps_of_dtype)
        position += 1
        return y

    return step


@jit
def _step(x, weights, turn, keys, values, position, eps, part, start, stop):
    x = x[start:stop]
    rows, width = x.shape
    heads = keys.shape[2]
    qkv, attended = np.empty((rows, 3 * width), x.dtype), np.empty((rows, width), x.dtype)
    parts = qkv.reshape(rows, 3, heads, width // heads)
    by_head = attended.reshape(rows, heads, width // heads)
    z = np.empty((rows, width), x.dtype)
    p = np.empty(position + 1, x.dtype)
    for block in range(len(weights.in_w)):
        now = slice(block, block + 1)  # a slice keeps the axis, to add biases to every row
        set_product(qkv, weights.in_b[now], x, weights.in_w[block])
        for i in range(rows):
            for h in range(heads):
                q, k, v = parts[i, 0, h], parts[i, 1, h], parts[i, 2, h]
                if turn.shape[1]:
                    _turn(q, turn[0, position], turn[1, position])
                    _turn(k, turn[0, position], turn[1, position])
                seen = keys[block, start + i, h], values[block, start + i, h]
                _attend(q, k, v, *seen, p, by_head[i, h])
        set_product(z, weights.out_b[now], attended, weights.out_w[block])
        _add_and_norm(x, z, weights.norm1_w[block], weights.norm1_b[block], eps)
        for unit in range(0, max(weights.mlp1_w.shape[2], 1), _UNITS):
            units = slice(unit, unit + _UNITS)
            mlp1 = weights.mlp1_w[block, :, units], weights.mlp1_b[now, units]
            set_units(
                z, z if unit else weights.mlp2_b[now], x, *mlp1, weights.mlp2_w[block, units], x[:0]
            )
        _add_and_norm(x, z, weights.norm2_w[block], weights.norm2_b[block], eps)


@jit
def _turn(x, cos, sin):
    """Each pair of neighbouring entries turned, in place.    x: (d), cos, sin: (d / 2)"""
    for i in range(len(cos)):
        a, b = x[2 * i], x[2 * i + 1]
        x[2 * i], x[2 * i + 1] = a * cos[i] - b * sin[i], a * sin[i] + b * cos[i]


@jit
def _attend(q, k, v, keys, values, p, out):
    """Store this position's key and value, and attend to all positions up to this one.

    p: scratch memory, one entry per position. Keys and values are contiguous along the positions,
    because there are more positions than a head has entries, so the inner loops are longer.
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
