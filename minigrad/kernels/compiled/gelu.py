"""erf and GELU, entry by entry."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import FUSED, jit, plain
from minigrad.kernels.reference import (
    SQRT_2_OVER_PI,
    TAIL_COEFFICIENTS,
    TAIL_SLOPE,
    TANH_CUBIC,
)

SQRT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


def normal_cdf(x, e):
    """P(Z <= x), given e = e^(-x^2/2), for use in compiled kernels."""
    return type(x)(0.5 * math.erfc(-float(x) * SQRT_HALF))


@overload(normal_cdf, jit_options={"error_model": "numpy", "fastmath": FUSED})
def _normal_cdf(x, e):
    if x != types.float32:
        return lambda x, e: 0.5 * math.erfc(-x * SQRT_HALF)

    f32 = np.float32
    slope = f32(TAIL_SLOPE)
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = (f32(c) for c in TAIL_COEFFICIENTS)

    def cdf32(x, e):  # see the reference for the series
        t = f32(1) / (f32(1) + slope * abs(x))
        s = c9 * t + c8
        s = s * t + c7
        s = s * t + c6
        s = s * t + c5
        s = s * t + c4
        s = s * t + c3
        s = s * t + c2
        s = s * t + c1
        tail = s * t * e
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
    half = x.dtype.type(-0.5)
    for i in range(x.size):
        a = x[i]
        y[i] = a * normal_cdf(a, exp(half * a * a))


@jit
def _gelu_tanh(x, y, part, start, stop):
    x, y = x[start:stop], y[start:stop]
    kind = x.dtype.type
    for i in range(x.size):
        a = x[i]
        t = kind(math.tanh(kind(SQRT_2_OVER_PI) * (a + kind(TANH_CUBIC) * a * a * a)))
        y[i] = kind(0.5) * a * (kind(1) + t)


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
    half, density_at_0 = x.dtype.type(-0.5), x.dtype.type(DENSITY_AT_0)
    for i in range(x.size):
        a = x[i]
        e = exp(half * a * a)
        dx[i] = dy[i] * (normal_cdf(a, e) + a * e * density_at_0)


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
