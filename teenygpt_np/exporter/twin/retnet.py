"""Retention: the twin of `retnet.c`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import silu, total
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, as_float, zeros


class Retention(MixerTwin):
    """h = S^T q in each head, S = decay turned(S) + k v^T / sqrt(d); see the C file."""

    name = "retnet"
    needs = ("sigmoid.c", "silu.c")

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        self._q, self._k, self._v, self._g, self._out = (
            kind(weights[f"{name}_proj.weight"]) for name in ("q", "k", "v", "g", "out")
        )
        angles = 10000.0 ** -np.linspace(0, 1, sizes.width // sizes.heads // 2)
        self._cos, self._sin = (f(angles).astype(np.float32) for f in (np.cos, np.sin))
        self._decay = (1 - 2.0 ** (-5 - np.arange(sizes.heads))).astype(np.float32)
        self._scale = np.float32(1 / math.sqrt(sizes.width // sizes.heads))
        self.fields = {"q": self._q, "k": self._k, "v": self._v, "g": self._g, "out": self._out}
        self.fields |= {"cos": self._cos, "sin": self._sin, "decay": self._decay}

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """The heads, their width d, and 1 / sqrt(d)."""
        width = sizes.width // sizes.heads
        scale = as_float(np.float32(1 / math.sqrt(width)))
        return {"HEADS": str(sizes.heads), "HEAD_WIDTH": str(width), "SCALE": scale}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """S of each head."""
        return [("float", sizes.width * (sizes.width // sizes.heads))]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """q, k, v, g, and what the heads give."""
        return [("float", 5 * sizes.width)]

    def start(self, batch_size: int) -> Any:
        """S: (B, H, d, d)"""
        heads, width = self.sizes.heads, self.sizes.width // self.sizes.heads
        return zeros(batch_size, heads, width, width)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        shape = len(x), self.sizes.heads, -1
        q, k, v, g = (w(x).reshape(shape) for w in (self._q, self._k, self._v, self._g))
        k = k * self._scale
        heads = np.zeros_like(v)
        for i in range(0, v.shape[2], 2):
            cos, sin = (self._decay * part[i // 2] for part in (self._cos, self._sin))
            cos, sin = cos[:, None], sin[:, None]
            s0, s1 = state[:, :, i], state[:, :, i + 1]
            turned0, turned1 = s0 * cos + s1 * sin, s1 * cos - s0 * sin
            s0[...] = turned0 + k[..., i, None] * v
            s1[...] = turned1 + k[..., i + 1, None] * v
            heads = (heads + q[..., i, None] * s0) + q[..., i + 1, None] * s1
        squares = total(heads * heads)[..., None] / np.float32(heads.shape[2])
        scale = np.float32(1) / np.sqrt(squares + np.float32(1e-5))
        return self._out((heads * scale * silu(g)).reshape(x.shape))
