"""Linear attention, whose past is a sum: the twin of `linear_attention.c`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import exp
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, zeros

_EPS = np.float32(1e-6)


def _f(x: Array) -> Array:
    """elu(x) + 1"""
    return np.where(x > 0, x + np.float32(1), exp(x))


class LinearAttention(MixerTwin):
    """h = S^T f(q) / (f(q) . z + 1e-6) in each head; see the C file."""

    name = "linear_attention"

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        self._in = kind(weights["in_proj_weight"], weights["in_proj_bias"])
        self._out = kind(weights["out_proj.weight"], weights["out_proj.bias"])
        self.fields = {"in": self._in, "out": self._out}

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """d, the width of a head."""
        return {"HEAD_WIDTH": str(sizes.width // sizes.heads)}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """S and z of each head."""
        return [("float", sizes.width * (sizes.width // sizes.heads + 1))]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """q, k, v, and what the heads give."""
        return [("float", 4 * sizes.width)]

    def start(self, batch_size: int) -> Any:
        """S and z: (B, H, d, d + 1)"""
        heads, width = self.sizes.heads, self.sizes.width // self.sizes.heads
        return zeros(batch_size, heads, width, width + 1)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        shape = len(x), self.sizes.heads, -1
        q, k, v = (part.reshape(shape) for part in np.split(self._in(x), 3, axis=1))
        q, k = _f(q), _f(k)
        heads, share = np.zeros_like(v), np.zeros_like(v[..., :1])
        for i in range(v.shape[2]):
            s = state[:, :, i]
            s[..., :-1] += k[..., i, None] * v
            heads += q[..., i, None] * s[..., :-1]
            s[..., -1] += k[..., i]
            share += (q[..., i] * s[..., -1])[..., None]
        return self._out((heads / (share + _EPS)).reshape(x.shape))
