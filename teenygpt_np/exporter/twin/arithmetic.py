"""The arithmetic of the C sources in NumPy: the same operations in the same order, so equal bits.

Arrays are float32 throughout. Sums are made from the first term to the last, as in C, while NumPy's
own `sum` adds in pairs. Each function names the C file that has its equation.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import Array

TINY = np.float32(1e-30)
INCREMENT = 1442695040888963407  # of the generator
_F = np.float32


def rounded(x: Array) -> Array:
    """The nearest whole numbers, halves away from 0, as float32. (`head.c`)

    They are found by adding 1/2, in float32: so the number below 1/2 becomes 1, as in C.
    """
    return np.trunc(np.where(x < 0, x - _F(0.5), x + _F(0.5)))


def total(x: Array) -> Array:
    """The sum over the last axis, from the first term to the last."""
    added: Array = np.add.accumulate(x, axis=-1)[..., -1]
    return added


def exp(x: Array) -> Array:
    """e^x; 0 below -87, e^88 above 88. (`head.c`)"""
    inside = np.where(x < -87, _F(-87), np.where(x > 88, _F(88), x))
    n = rounded(inside * _F(1.44269504))
    r = (inside - n * _F(0.693145752)) - n * _F(1.42860677e-6)
    p = np.full_like(r, _F(1) / _F(5040))
    for k in (720, 120, 24, 6, 2, 1, 1):
        p = p * r + _F(1) / _F(k)
    p = p * ((n.astype(np.int32) + 127) << 23).view(np.float32)
    return np.where(x < -87, _F(0), p)


def gelu(x: Array) -> Array:
    """x P(Z <= x), Z standard normal. (`gelu.c`)"""
    z = np.where(x < 0, -x, x)
    t = _F(1) / (_F(1) + _F(0.35) * z)
    s = _F(-0.02914128047) * t
    for c in _TAIL:
        s = (s + _F(c)) * t
    s = s * exp(_F(-0.5) * z * z)
    return x * np.where(x > 0, _F(1) - s, s)


_TAIL = (
    0.1439486664,
    -0.2556657618,
    0.1591176397,
    -0.02307007658,
    0.1054907802,
    0.1198373387,
    0.1398612361,
    0.1396214417,
)


def gelu_table(x: Array) -> Array:
    """Nearly x P(Z <= x), for the sake of speed. (`gelu_table.c`)"""
    inside = np.where(x < -4, _F(-4), np.where(x > 4, _F(4), x))
    place = (inside + _F(4)) * _F(16)
    i = np.trunc(place)
    below, above = (_NORMAL[np.asarray(i, int) + k] for k in (0, 1))
    return x * (below + (place - i) * (above - below))


# P(Z <= x) at -4, -4 + 1/16, ..., 4 and beyond; 0 and 1 at the ends.
_NORMAL = np.array(
    [0, *(math.erfc((64 - i) / 16 / math.sqrt(2)) / 2 for i in range(1, 128)), 1, 1], _F
)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x). (`sigmoid.c`)"""
    e = exp(np.where(x < 0, x, -x))
    p = _F(1) / (_F(1) + e)
    return np.where(x < 0, e * p, p)


def silu(x: Array) -> Array:
    """x sigmoid(x). (`silu.c`)"""
    return x * sigmoid(x)


def tanh(x: Array) -> Array:
    """(e^x - e^-x) / (e^x + e^-x). (`tanh.c`)"""
    e = exp(np.where(x < 0, _F(2) * x, _F(-2) * x))
    t = (_F(1) - e) / (_F(1) + e)
    return np.where(x < 0, -t, t)


def softplus(x: Array) -> Array:
    """ln(1 + e^x). (`softplus.c`)"""
    e = exp(np.where(x < 0, x, -x))
    s = e / (_F(2) + e)
    q = s * s
    p = np.full_like(q, _F(1) / _F(15))
    for k in (13, 11, 9, 7, 5, 3, 1):
        p = p * q + _F(1) / _F(k)
    return np.where(x > 0, x, _F(0)) + _F(2) * s * p


def quantize(x: Array, levels: int = 127) -> tuple[Array, Array]:
    """x as whole numbers in -levels..levels times a scale. (`quantize.c`)

    x: (..., n) -> the numbers, as float32: (..., n), and the scales, max |x| / levels: (..., 1).
    A row of zeros has the scale 0.
    """
    most = np.where(x < 0, -x, x).max(axis=-1, keepdims=True)
    is_zero = most < TINY
    most = np.where(is_zero, _F(1), most)
    factor = np.where(is_zero, _F(0), _F(levels) / most)
    scale = np.where(is_zero, _F(0), most / _F(levels))
    return rounded(x * factor), scale


def powers(s: Array) -> tuple[Array, Array]:
    """e^(s - max s) over the last axis, and its sum. (`softmax.c`)    (..., n) -> same, (..., 1)"""
    p = exp(s - s.max(axis=-1, keepdims=True))
    return p, total(p)[..., None]


def add_and_norm(x: Array, y: Array, w: Array, b: Array, eps: np.float32) -> Array:
    """w (x + y - mean) / sqrt(var + eps) + b. (`model.c`)    (B, D) -> (B, D)"""
    x = x + y
    size = _F(x.shape[-1])
    x = x - (total(x) / size)[..., None]
    scale = _F(1) / np.sqrt(total(x * x) / size + eps)
    return x * scale[..., None] * w + b


class Generator:
    """PCG32, as `model.c` has it: a seed gives the same numbers everywhere."""

    def __init__(self, seed: int) -> None:
        self._state = 0
        self.bits()
        self._state += seed
        self.bits()

    def bits(self) -> int:
        """The next 32 random bits."""
        old = self._state
        self._state = (old * 6364136223846793005 + INCREMENT) % 2**64
        mixed, turn = (old >> 18 ^ old) >> 27 & 0xFFFFFFFF, old >> 59
        return (mixed >> turn | mixed << (-turn & 31)) & 0xFFFFFFFF


def choose(logits: Array, generator: Generator, temperature: float, top_k: int) -> int:
    """The next token, as `teenygpt_choose` draws it.    logits: (V)"""
    order = np.argsort(-logits, kind="stable")
    if not temperature > 0:
        return int(order[0])
    p = exp((logits - logits[order[0]]) / _F(temperature))
    if top_k:
        p[order[top_k:]] = 0
    sums = np.add.accumulate(p)
    drawn = _F(generator.bits() >> 8) * _F(2.0**-24) * sums[-1]
    beyond = np.flatnonzero(sums > drawn)
    return int(beyond[0] if len(beyond) else np.flatnonzero(p)[-1])
