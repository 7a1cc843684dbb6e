"""A gated convolution: each token sees itself and three tokens before it."""

from __future__ import annotations

from typing import Any

from minigrad import Array, Tensor
from teenygpt_np.model.layers import GLU, CausalConvolution
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

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        self.conv = CausalConvolution(width, 2 * width, _TOKENS, rng=rng, dtype=dtype)
        self.gate = GLU()

    def forward(self, x: Tensor, state: Array | None = None) -> Tensor:
        """With a state, the inputs before x: x goes on from there."""
        return self.gate(self.conv(x, state))

    def initial_state(self, batch_size: int) -> Array:
        """The inputs before the first token, of which there are none: zeros."""
        return self.conv.initial_state(batch_size)
