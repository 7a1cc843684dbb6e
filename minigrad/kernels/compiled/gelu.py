"""erf and GELU, entry by entry."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import ROUND, TINY, power_of_two
from minigrad.kernels.compiled.jit import FUSED, jit, plain
from minigrad.kernels.reference.gelu import (
    FAR,
    SQRT_2_OVER_PI,
    TAIL_COEFFICIENTS,
    TAIL_SLOPE,
    TANH_CUBIC,
)

SQRT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


# 2^f = c0 + c1 f + ... + c6 f^6 for f in -1/2..1/2, relative error 1.9e-9. Made by
# benchmarks/fit_gelu.py.
POWER_COEFFICIENTS = (
    1.000000001,
    0.6931472057,
    0.2402264689,
    0.05550328777,
    0.009618488939,
    0.001339993126,
    0.0001534581675,
)


def normal_density(x):
    """e^(-x^2/2) / sqrt(2 pi), for use in compiled kernels."""
    return type(x)(DENSITY_AT_0 * math.exp(-0.5 * float(x) * float(x)))


@overload(normal_density, jit_options={"error_model": "numpy", "fastmath": FUSED})
def _normal_density(x):
    if x != types.float32:
        return lambda x: DENSITY_AT_0 * math.exp(-0.5 * x * x)

    f32 = np.float32
    rate = f32(-0.5 / math.log(2))
    rate_low = f32(-0.5 / math.log(2) - float(rate))
    c0, c1, c2, c3, c4, c5, c6 = (f32(TINY * DENSITY_AT_0 * c) for c in POWER_COEFFICIENTS)

    def density32(x):
        # e^(-x^2/2) = 2^(n + f). `rate * square - n` is a fused multiply-add, which rounds once, so
        # that f has no error but that of x^2. `rounded` spells the product otherwise: were it the
        # same, it would be computed once, and rounded before both sums. From the bound on the
        # result is 0.
        z = min(abs(x), f32(14.5))
        square = z * z
        rounded = rate * z * z + ROUND
        n = rounded - ROUND
        f = (rate * square - n) + rate_low * square
        p = c6 * f + c5
        p = p * f + c4
        p = p * f + c3
        p = p * f + c2
        p = p * f + c1
        p = p * f + c0
        return p * power_of_two(rounded)

    return density32


def normal_cdf(x, density):
    """P(Z <= x), given the density at x, for use in compiled kernels."""
    return type(x)(0.5 * math.erfc(-float(x) * SQRT_HALF))


@overload(normal_cdf, jit_options={"error_model": "numpy", "fastmath": FUSED})
def _normal_cdf(x, density):
    if x != types.float32:
        return lambda x, density: 0.5 * math.erfc(-x * SQRT_HALF)

    f32 = np.float32
    slope = f32(TAIL_SLOPE)
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = (f32(c / DENSITY_AT_0) for c in TAIL_COEFFICIENTS)

    def cdf32(x, density):  # see the reference for the series
        t = f32(1) / (f32(1) + slope * abs(x))
        s = c9 * t + c8
        s = s * t + c7
        s = s * t + c6
        s = s * t + c5
        s = s * t + c4
        s = s * t + c3
        s = s * t + c2
        s = s * t + c1
        tail = s * t * density
        return f32(1) - tail if x > f32(0) else tail

    return cdf32


def erf(x):
    """See the reference."""
    x = plain(x)
    y = np.empty_like(x)
    team.run(_erf, threads.blocks(x.size, x.size), x.reshape(-1), y.reshape(-1))
    return y


@jit
def _erf(x, y, part, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = math.erf(x[i])


def gelu(x, approximate):
    """See the reference."""
    x = plain(x)
    y = np.empty_like(x)
    kernel = _gelu if approximate == "none" else _gelu_tanh
    team.run(kernel, threads.blocks(x.size, x.size), x.reshape(-1), y.reshape(-1))
    return y


@jit
def _gelu(x, y, part, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        a = x[i]
        y[i] = max(a, x.dtype.type(-FAR)) * normal_cdf(a, normal_density(a))


@jit
def _gelu_tanh(x, y, part, start, stop):
    x, y = x[start:stop], y[start:stop]
    kind = x.dtype.type
    for i in range(x.size):
        a = x[i]
        t = kind(math.tanh(kind(SQRT_2_OVER_PI) * (a + kind(TANH_CUBIC) * a * a * a)))
        y[i] = kind(0.5) * max(a, kind(-FAR)) * (kind(1) + t)


def gelu_vjp(x, dy, approximate):
    """See the reference."""
    x, dy = plain(x), plain(dy)
    dx = np.empty_like(x)
    kernel = _gelu_vjp if approximate == "none" else _gelu_tanh_vjp
    spans = threads.blocks(x.size, x.size)
    team.run(kernel, spans, x.reshape(-1), dy.reshape(-1), dx.reshape(-1))
    return dx


@jit
def _gelu_vjp(x, dy, dx, part, start, stop):
    x, dy, dx = x[start:stop], dy[start:stop], dx[start:stop]
    for i in range(x.size):
        a = x[i]
        density = normal_density(a)
        near = min(max(a, x.dtype.type(-FAR)), x.dtype.type(FAR))
        dx[i] = dy[i] * (normal_cdf(a, density) + near * density)


@jit
def _gelu_tanh_vjp(x, dy, dx, part, start, stop):
    x, dy, dx = x[start:stop], dy[start:stop], dx[start:stop]
    kind = x.dtype.type
    rate, cubic, half, one = kind(SQRT_2_OVER_PI), kind(TANH_CUBIC), kind(0.5), kind(1)
    for i in range(x.size):
        a = x[i]
        t = kind(math.tanh(rate * (a + cubic * a * a * a)))
        near = min(max(a, kind(-20)), kind(20))
        slope = rate * (one + kind(3) * cubic * near * near)
        dx[i] = dy[i] * (half * (one + t) + half * near * (one - t * t) * slope)
