"""A recurrent network: all that is known of earlier tokens is one vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator, parameter, uniform


class RNN(Mixer):
    """y[t] = h[t] = tanh(W_ih x[t] + b_ih + W_hh h[t-1] + b_hh).    (B, T, D) -> (B, T, D)

    Parameters are called as torch.nn.RNN's; all start uniform in +-1/sqrt(D).

    Source: Elman, Finding structure in time, 1990, Cognitive Science 14:179-211.
    """

    knows_order = True
    muon: Collection[str] = ("weight_ih_l0", "weight_hh_l0")
    gates = 1  # rows of the weights, as a multiple of D
    operation: Callable[..., Tensor] = staticmethod(mg.rnn)

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        start, rows = uniform(rng, 1 / math.sqrt(width)), self.gates * width
        self.weight_ih_l0 = parameter((rows, width), start, dtype)
        self.weight_hh_l0 = parameter((rows, width), start, dtype)
        self.bias_ih_l0 = parameter((rows,), start, dtype)
        self.bias_hh_l0 = parameter((rows,), start, dtype)

    def forward(self, x: Tensor, state: Array | None = None) -> Tensor:
        """With a state, h of the token before: x goes on from there."""
        weights = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        return self.operation(x, *weights, state=state)

    def state_map(self, trace: Trace, nodes: Sequence[TracedNode]) -> tuple[Array, Array] | None:
        """h, and its gradient from the layers above; what comes back from later h is not in it."""
        [node] = [node for node in nodes if node.operation == self.operation.__name__]
        assert node.value is not None
        assert node.grad is not None
        return node.value[0], node.grad[0]

    def initial_state(self, batch_size: int) -> Array:
        """h before the first token: (B, D)"""
        return np.zeros((batch_size, self.weight_hh_l0.shape[1]), self.weight_hh_l0.dtype)
