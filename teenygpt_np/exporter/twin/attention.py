"""Attention with a cache: the twin of `attention.c`, `attention_int8.c` and `rotary.c`."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import powers, quantize
from teenygpt_np.exporter.twin.matrices import Matrix
from teenygpt_np.exporter.twin.mixer import Member, MixerTwin, Sizes, as_float, zeros
from teenygpt_np.model.layers import angles_of

_BYTES = {"float32": "float", "float16": "uint16_t", "int8": "int8_t"}


def scale(sizes: Sizes) -> np.float32:
    """1 / sqrt(d), d the width of a head."""
    return np.float32(1 / math.sqrt(sizes.width // sizes.heads))


def levels(sizes: Sizes) -> int:
    """Into how many steps the weights of values are divided: 32 bits hold a sum over T of them."""
    return min(2**15 - 1, (2**31 - 1) // (127 * sizes.tokens))


@functools.cache
def turns(tokens: int, head_width: int) -> tuple[Array, Array]:
    """cos and sin of t a_i, where a_i goes from 1 to 1/10000 in equal factors.    -> both (T, d/2)

    tokens, head_width: T, d.    All blocks have the same arrays.
    """
    angles = angles_of(np.arange(tokens), head_width)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class Attention(MixerTwin):
    """h = softmax(q k^T / sqrt(d)) v in each head; see the C files."""

    name = "attention"
    has_cache = True

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        super().__init__(weights, sizes, kind)
        self._in = kind(weights["in_proj_weight"], weights["in_proj_bias"])
        self._out = kind(weights["out_proj.weight"], weights["out_proj.bias"])
        self.fields = {"in": self._in, "out": self._out}

    @classmethod
    def files(cls, sizes: Sizes) -> tuple[str, ...]:
        """Two for floats, whatever their size; another one for whole numbers; one that turns."""
        turning = ("rotary.c",) * sizes.rotary
        if sizes.cache == "int8":
            return ("attention_int8.h", "quantize.c", "softmax.c", *turning, "attention_int8.c")
        kept = f"kept_{sizes.cache}"
        return (f"{kept}.h", "attention.h", f"{kept}.c", "softmax.c", *turning, "attention.c")

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """The heads, 1 / sqrt(d), the steps of the values' weights, and whether q and k turn."""
        named = {"HEADS": str(sizes.heads), "SCALE": as_float(scale(sizes))}
        named |= {"LEVELS": str(levels(sizes))} if sizes.cache == "int8" else {}
        return named | ({"ROTARY": "1"} if sizes.rotary else {})

    @classmethod
    def tables(cls, sizes: Sizes) -> dict[str, Array]:
        """cos and sin of the angles by which q and k are turned: both (T, d / 2)."""
        if not sizes.rotary:
            return {}
        cos, sin = turns(sizes.tokens, sizes.width // sizes.heads)
        return {"ROTARY_COS": cos, "ROTARY_SIN": sin}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """Keys and values of T positions, and their scales."""
        scales: list[Member] = [("float", 2 * sizes.tokens)] if sizes.cache == "int8" else []
        return [*scales, (_BYTES[sizes.cache], 2 * sizes.tokens * sizes.width)]

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """q, k, v; what the heads give; the softmax."""
        floats: list[Member] = [("float", 4 * sizes.width + sizes.tokens)]
        if sizes.cache != "int8":
            return floats
        sums = sizes.width // sizes.heads
        return [*floats, ("int32_t", sums), ("int16_t", sizes.tokens), ("int8_t", sizes.width)]

    def start(self, batch_size: int) -> Any:
        """k and v, and their scales: (2, B, T, D) and (2, B, T)."""
        sizes = self.sizes
        kept = np.float16 if sizes.cache == "float16" else np.float32
        shape = 2, batch_size, sizes.tokens
        return np.zeros((*shape, sizes.width), kept), zeros(*shape)

    def step(self, x: Array, state: Any, position: int) -> Array:
        """See the C files."""
        attend = self._attend_int8 if self.sizes.cache == "int8" else self._attend
        q, k, v = np.split(self._in(x), 3, axis=1)
        if self.sizes.rotary:
            q, k = self._turned(q, position), self._turned(k, position)
        return self._out(attend(q, k, v, state, position).reshape(x.shape))

    def _heads(self, x: Array) -> Array:
        return x.reshape(*x.shape[:-1], self.sizes.heads, -1)

    def _turned(self, x: Array, position: int) -> Array:
        """[a cos - b sin, a sin + b cos] of each pair [a, b] of a head's entries.    (B, D)"""
        cos, sin = (table[position] for table in self.tables(self.sizes).values())
        a, b = self._heads(x)[..., ::2], self._heads(x)[..., 1::2]
        return np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1).reshape(x.shape)

    def _attend(self, q: Array, k: Array, v: Array, state: Any, position: int) -> Array:
        kept, _ = state
        with np.errstate(over="ignore"):  # half precision has infinity from 65520 on
            kept[0, :, position], kept[1, :, position] = k, v
        keys, values = self._heads(kept[:, :, : position + 1].astype(np.float32))  # (B, n, H, d)
        q = self._heads(q * scale(self.sizes))
        s = zeros(*q.shape[:2], position + 1)
        for i in range(q.shape[2]):
            s += q[:, :, i, None] * keys[..., i].swapaxes(1, 2)
        p, total = powers(s)
        heads = np.zeros_like(q)
        for t in range(position + 1):
            heads += p[:, :, t, None] * values[:, t]
        return heads * (np.float32(1) / total)

    def _attend_int8(self, q: Array, k: Array, v: Array, state: Any, position: int) -> Array:
        kept, scales = state
        q, q_scale = quantize(q)
        q_scale = q_scale * scale(self.sizes)
        for which, x in enumerate((k, v)):
            kept[which, :, position], size = quantize(x)
            scales[which, :, position] = size[:, 0]
        keys, values = self._heads(kept[:, :, : position + 1].astype(np.float64))  # sums are exact
        key_scales, value_scales = scales[:, :, : position + 1]
        s = np.einsum("bhd,bthd->bht", self._heads(q), keys).astype(np.float32)
        p, total = powers(s * (q_scale * key_scales)[:, None])
        whole, size = quantize(p * value_scales[:, None], levels(self.sizes))
        sums = np.einsum("bht,bthd->bhd", whole, values).astype(np.float32)
        return sums * (size / total)
