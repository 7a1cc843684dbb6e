"""erf and GELU, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minigrad.kernels.reference.array import Array

# P(Z > z) = e^(-z^2/2) (c1 t + ... + c9 t^9), t = 1 / (1 + slope z), z >= 0, relative error
# 3.2e-8: about half a unit in float32's last place. Made by benchmarks/fit_gelu.py.
TAIL_SLOPE = 0.35
TAIL_COEFFICIENTS = (
    0.1396214417,
    0.1398612361,
    0.1198373387,
    0.1054907802,
    -0.02307007658,
    0.1591176397,
    -0.2556657618,
    0.1439486664,
    -0.02914128047,
)
FAR = 40.0  # from where on the tail and the density are 0 in float64 too
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
TANH_CUBIC = 0.044715


def _each(function: Callable[[float], float], x: Array) -> Array:
    """function(x), entry by entry, in two thirds of the time that np.vectorize takes."""
    return np.fromiter(map(function, x.ravel()), np.float64, x.size).reshape(x.shape)


def erf(x: Array) -> Array:
    """y = 2/sqrt(pi) * integral of e^(-t^2) for t in 0..x, by the C library."""
    return _each(math.erf, x).astype(x.dtype)


def _normal_cdf(x: Array) -> Array:
    """P(Z <= x) for a standard normal Z, with its full relative precision in both tails."""
    if x.dtype == np.float64:
        return 0.5 * _each(math.erfc, x * -math.sqrt(0.5))
    with np.errstate(over="ignore", under="ignore"):
        z = np.abs(x)
        t = 1 / (1 + np.float32(TAIL_SLOPE) * z)
        series = np.zeros_like(t)
        for c in reversed(TAIL_COEFFICIENTS):
            series = (series + np.float32(c)) * t
        tail = series * np.exp(np.float32(-0.5) * z * z)
    return np.where(x > 0, 1 - tail, tail)


def gelu(x: Array, approximate: str) -> Array:
    """y = x P(Z <= x); approximate: 'none', or 'tanh' for P(Z <= x) by a tanh."""
    above = np.maximum(x, -FAR)  # -inf times 0 would be NaN
    if approximate == "none":
        return above * _normal_cdf(x)
    return 0.5 * above * (1 + _tanh_argument(x))


def gelu_vjp(x: Array, dy: Array, approximate: str) -> Array:
    """dx = dy (P(Z <= x) + x p(x)), p the normal density; for 'tanh' that form's derivative."""
    with np.errstate(over="ignore", under="ignore"):
        if approximate == "none":
            density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
            return dy * (_normal_cdf(x) + np.clip(x, -FAR, FAR) * density)
        t = _tanh_argument(x)
        near = np.clip(x, -20, 20)  # farther out 1 - t^2 is 0, but its factor would overflow
        slope = SQRT_2_OVER_PI * (1 + 3 * TANH_CUBIC * near * near)
        return dy * (0.5 * (1 + t) + 0.5 * near * (1 - t * t) * slope)


def _tanh_argument(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.tanh(SQRT_2_OVER_PI * (x + TANH_CUBIC * x * x * x))
