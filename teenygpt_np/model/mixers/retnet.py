"""Retention: linear attention that forgets, each head at a pace of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.layers import Projection, turned
from teenygpt_np.model.mixers.maps import decayed_weights, traced
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator, parameter, uniform


@dataclass
class RetNetState:
    """S of each head, (B, H, d, d), and how many positions have been read."""

    sums: Array
    position: int


class Retention(Mixer):
    """y_t = S_t^T q_t in each head, with S_t = (1 - 2^(-5-h)) S_{t-1} + k_t v_t^T / sqrt(d).

    q and k are rotated by their position. Then (norm(y) * silu(x W_g^T)) W_out^T, where the norm
    divides by the root of the mean square of each head. Weights (D, D), no biases; Xavier-uniform
    with the gains 2^-2.5 and, of W_out, 1/2.

    Raises ValueError for a width that can't be divided into heads of even width.

    Source: Sun et al., Retentive Network, 2023, equations 5 to 8, arXiv:2307.08621.
    """

    knows_order = True

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        if num_heads < 1 or width % (2 * num_heads):
            raise ValueError(f"width {width} can't be divided into {num_heads} heads of even width")
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj, self.g_proj, self.out_proj = (
            Projection(width, width, rng=rng, dtype=dtype) for _ in range(5)
        )
        for module in (self.q_proj, self.k_proj, self.v_proj, self.g_proj, self.out_proj):
            gain = 0.5 if module is self.out_proj else 2**-2.5
            start = uniform(rng, gain * math.sqrt(3 / width))
            module.weight = parameter((width, width), start, dtype)

    def forward(self, x: Tensor, state: RetNetState | None = None) -> Tensor:
        """Whole sequences; or, given the state, their next positions."""
        B, T, D = x.shape
        start = 0 if state is None else state.position
        q = turned(self.q_proj(x), self.num_heads, start)
        k = turned(self.k_proj(x) * math.sqrt(self.num_heads / D), self.num_heads, start)
        q, k, v = (
            a.reshape(B, T, self.num_heads, D // self.num_heads).swapaxes(1, 2)
            for a in (q, k, self.v_proj(x))
        )
        g = np.log1p(-(2.0 ** (-5 - np.arange(self.num_heads))))[:, None, None]
        sums = None if state is None else state.sums
        y = mg.decayed_attention(q, k, v, g, state=sums).swapaxes(1, 2)  # (B, T, H, d)
        y = y / mg.sqrt(mg.mean(y * y, -1, keepdims=True) + 1e-5)
        if state is not None:
            state.position += T
        return self.out_proj(y.reshape(B, T, D) * mg.silu(self.g_proj(x)))

    def initial_state(self, batch_size: int) -> RetNetState:
        """Nothing is remembered yet."""
        weight = self.q_proj.weight
        head = len(weight) // self.num_heads
        return RetNetState(np.zeros((batch_size, self.num_heads, head, head), weight.dtype), 0)

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """q_t . k_s times its decay, before the norm; and the gradient of that."""
        inputs, dy = traced(trace, nodes, "decayed_attention")
        q, k, v, g = (inputs[name] for name in "qkvg")
        return decayed_weights(q, k, g)[0], np.tril(dy @ v.swapaxes(-1, -2))[0]
