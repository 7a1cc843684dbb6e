"""Recurrent networks: the twins of `rnn.c` and `gru.c`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import sigmoid, tanh
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, zeros


class RNN(MixerTwin):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh)."""

    name = "rnn"
    needs: ClassVar[tuple[str, ...]] = ("tanh.c",)
    gates: ClassVar[int] = 1

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        self._ih, self._hh = (
            kind(weights[f"weight_{name}_l0"], weights[f"bias_{name}_l0"]) for name in ("ih", "hh")
        )
        self.fields = {"ih": self._ih, "hh": self._hh}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """h."""
        return [("float", sizes.width)]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """Both products."""
        return [("float", 2 * cls.gates * sizes.width)]

    def start(self, batch_size: int) -> Any:
        """h: (B, D)"""
        return zeros(batch_size, self.sizes.width)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        h = self._next(self._ih(x), self._hh(state), state)
        state[...] = h
        return h

    def _next(self, a: Array, b: Array, h: Array) -> Array:
        return tanh(a + b)


class GRU(RNN):
    """h = (1 - z) n + z h; see the C file."""

    name = "gru"
    needs = ("sigmoid.c", "tanh.c")
    gates = 3

    def _next(self, a: Array, b: Array, h: Array) -> Array:
        (a_r, a_z, a_n), (b_r, b_z, b_n) = (np.split(part, 3, axis=1) for part in (a, b))
        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        n = tanh(a_n + r * b_n)
        return (np.float32(1) - z) * n + z * h
