"""A gated convolution: each token sees itself and three tokens before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.layers import GLU, CausalConvolution
from teenygpt_np.model.mixers.maps import traced
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator

_TOKENS = 4  # that a layer sees


class Convolution(Mixer):
    """y = (x * W + b) sigmoid(x * V + c), with causal convolutions.    (B, T, D) -> (B, T, D)

    `conv.weight` (2D, D, K) is W, then V; `conv.bias` (2D) b, then c.

    Source: Dauphin et al., Language modeling with gated convolutional networks, 2016, equation 1,
    arXiv:1612.08083.
    """

    knows_order = True
    part = "kernel"

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        self.conv = CausalConvolution(width, 2 * width, _TOKENS, rng=rng, dtype=dtype)
        self.gate = GLU()

    def forward(self, x: Tensor, state: Array | None = None) -> Tensor:
        """With a state, the inputs before x: x goes on from there."""
        return self.gate(self.conv(x, state))

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """|W_k|, the norm of the tap that meets x_s in y_t, as the weight of W_k x_s / |W_k|.

        So x * W is the sum of weights times such values, before b and the gate. The weights depend
        on the distance alone and are 0 from four tokens on; their gradients differ.
        """
        inputs, dy = traced(trace, nodes, "causal_convolution")
        x, dy = inputs["x"][0], dy[0, :, : inputs["x"].shape[2]]
        weights = np.zeros((len(x), len(x)), x.dtype)
        grads = np.zeros_like(weights)
        for back, tap in enumerate(np.moveaxis(inputs["weight"][: x.shape[1]], 2, 0)[::-1]):
            t = np.arange(back, len(x))
            size = np.linalg.norm(tap)
            weights[t, t - back] = size
            grads[t, t - back] = (dy[t] * (x[t - back] @ tap.T)).sum(axis=1) / size
        return weights[None], grads[None]

    def initial_state(self, batch_size: int) -> Array:
        """The inputs before the first token, of which there are none: zeros."""
        return self.conv.initial_state(batch_size)
