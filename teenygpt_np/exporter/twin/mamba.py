"""Mamba: the twin of `mamba.c`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import exp, silu, softplus
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, zeros

STATES, TAPS = 16, 4  # N and K


class Mamba(MixerTwin):
    """h = e^(dt a) h + dt x B, s = C h + d x; see the C file."""

    name = "mamba"
    needs = ("sigmoid.c", "silu.c", "softplus.c")

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        self._in, self._x, self._out = (
            kind(weights[f"{name}_proj.weight"]) for name in ("in", "x", "out")
        )
        self._dt = kind(weights["dt_proj.weight"], weights["dt_proj.bias"])
        self._conv, self._conv_bias = weights["conv1d.weight"][:, 0], weights["conv1d.bias"]
        self._a, self._d = -np.exp(weights["A_log"]), weights["D"]
        self.fields = {"in": self._in, "x": self._x, "dt": self._dt, "out": self._out}
        self.fields |= {"conv": self._conv, "conv_bias": self._conv_bias}
        self.fields |= {"a": self._a, "d": self._d}

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """E, N, K and R."""
        named = {"CHANNELS": 2 * sizes.width, "STATES": STATES, "TAPS": TAPS, "RANK": _rank(sizes)}
        return {name: str(value) for name, value in named.items()}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """The window and h."""
        return [("float", (TAPS + STATES) * 2 * sizes.width)]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """x and z, dt, and r, B and C."""
        return [("float", 3 * 2 * sizes.width + _rank(sizes) + 2 * STATES)]

    def start(self, batch_size: int) -> Any:
        """The window, (B, K, E), and h, (B, E, N)."""
        channels = 2 * self.sizes.width
        return zeros(batch_size, TAPS, channels), zeros(batch_size, channels, STATES)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        window, h = state
        x, z = np.split(self._in(x), 2, axis=1)
        window[...] = np.concatenate([window[:, 1:], x[:, None]], axis=1)
        sums = np.broadcast_to(self._conv_bias, x.shape)
        for k in range(TAPS):
            sums = sums + self._conv[:, k] * window[:, k]
        x = silu(sums)
        rank = _rank(self.sizes)
        r, b, c = np.split(self._x(x), [rank, rank + STATES], axis=1)
        dt = softplus(self._dt(r))
        fed = dt * x
        h[...] = exp(dt[..., None] * self._a) * h + fed[..., None] * b[:, None]
        sums = self._d * x
        for n in range(STATES):
            sums = sums + c[:, n, None] * h[..., n]
        return self._out(sums * silu(z))


def _rank(sizes: Sizes) -> int:
    """R, of dt."""
    return math.ceil(sizes.width / 16)
