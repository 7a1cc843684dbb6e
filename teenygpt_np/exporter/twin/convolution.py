"""A gated convolution: the twin of `convolution.c`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import sigmoid
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, zeros

TAPS = 4


class Convolution(MixerTwin):
    """y = (W [last tokens] + b) sigmoid(V [last tokens] + c)."""

    name = "convolution"
    needs = ("sigmoid.c",)

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        weight = weights["conv.weight"].swapaxes(1, 2)  # (2D, K, D)
        self._conv = kind(weight.reshape(len(weight), -1), weights["conv.bias"])
        self.fields = {"conv": self._conv}

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """K."""
        return {"TAPS": str(TAPS)}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """K tokens."""
        return [("float", TAPS * sizes.width)]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """Both halves."""
        return [("float", 2 * sizes.width)]

    def start(self, batch_size: int) -> Any:
        """The window: (B, K D)"""
        return zeros(batch_size, TAPS * self.sizes.width)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        state[...] = np.concatenate([state[:, x.shape[1] :], x], axis=1)
        a, b = np.split(self._conv(state), 2, axis=1)
        return a * sigmoid(b)
