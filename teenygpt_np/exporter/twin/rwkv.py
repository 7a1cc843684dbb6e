"""RWKV-6: the twin of `rwkv.c`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import exp, silu, tanh, total
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, as_float, zeros

MIX_RANK, DECAY_RANK, EPS = 8, 16, np.float32(64e-5)
_NAMES = "wkvrg"  # of what is computed from a token and the one before it


class RWKV(MixerTwin):
    """h = (S + diag(u) k v^T)^T r in each head, S = diag(w) S + k v^T; see the C file."""

    name = "rwkv"
    needs = ("sigmoid.c", "silu.c", "tanh.c")

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        self._w1 = kind(weights["time_maa_w1"].T)
        self._w2 = {
            f"w2_{name}": kind(part.T, weights[f"time_maa_{name}"].ravel())
            for name, part in zip(_NAMES, weights["time_maa_w2"], strict=True)
        }
        self._w3 = kind(weights["time_decay_w1"].T)
        self._w4 = kind(weights["time_decay_w2"].T, weights["time_decay"].ravel())
        names = {"k": "key", "v": "value", "r": "receptance", "g": "gate", "out": "output"}
        self._projections = {
            short: kind(weights[f"{name}.weight"]) for short, name in names.items()
        }
        self._mu, self._u = weights["time_maa_x"].ravel(), weights["time_faaaa"].ravel()
        self._norm_w, self._norm_b = weights["ln_x.weight"], weights["ln_x.bias"]
        self.fields = {"w1": self._w1, **self._w2, "w3": self._w3, "w4": self._w4}
        self.fields |= self._projections
        self.fields |= {"mu": self._mu, "u": self._u}
        self.fields |= {"norm_w": self._norm_w, "norm_b": self._norm_b}

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """The width of a head, the ranks, and the eps of its norm."""
        return {
            "HEAD_WIDTH": str(sizes.width // sizes.heads),
            "MIX_RANK": str(MIX_RANK),
            "DECAY_RANK": str(DECAY_RANK),
            "GROUP_EPS": as_float(EPS),
        }

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """S of each head, and the last token."""
        return [("float", sizes.width * (sizes.width // sizes.heads + 1))]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """All that is computed from a token."""
        return [("float", 8 * sizes.width + 5 * MIX_RANK + DECAY_RANK)]

    def start(self, batch_size: int) -> Any:
        """S, (B, H, d, d), and the last token, (B, D)."""
        heads, width = self.sizes.heads, self.sizes.width // self.sizes.heads
        return zeros(batch_size, heads, width, width), zeros(batch_size, self.sizes.width)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C file."""
        sums, last = state
        change = last - x
        m = tanh(self._w1(x + change * self._mu))
        last[...] = x
        x_w, x_k, x_v, x_r, x_g = (
            x + change * w2(part)
            for w2, part in zip(self._w2.values(), np.split(m, 5, axis=1), strict=True)
        )
        decay = exp(-exp(self._w4(tanh(self._w3(x_w)))))
        inputs = {"k": x_k, "v": x_v, "r": x_r, "g": x_g}
        shape = len(x), self.sizes.heads, -1
        k, v, r, g = (self._projections[n](a).reshape(shape) for n, a in inputs.items())
        decay, u = decay.reshape(shape), self._u.reshape(self.sizes.heads, -1)
        heads = np.zeros_like(v)
        for i in range(v.shape[2]):
            s, kv = sums[:, :, i], k[..., i, None] * v
            heads = heads + r[..., i, None] * (s + u[:, i, None] * kv)
            s[...] = decay[..., i, None] * s + kv
        size = np.float32(heads.shape[2])
        heads = heads - (total(heads) / size)[..., None]
        scale = np.float32(1) / np.sqrt(total(heads * heads) / size + EPS)
        heads = (heads * scale[..., None]).reshape(x.shape) * self._norm_w + self._norm_b
        return self._projections["out"](heads * silu(g).reshape(x.shape))
