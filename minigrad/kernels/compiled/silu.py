"""SiLU, GLU and softplus, entry by entry."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain

_TERMS = 17  # of atanh's series: the next ones are below 1e-17 where t is at most 1/3


def silu(x):
    """See the reference."""
    return _each(_silu, x)


def silu_vjp(x, dy):
    """See the reference."""
    return _each(_silu_vjp, x, dy)


def glu(x):
    """See the reference."""
    y = np.empty((len(x), x.shape[1] // 2), x.dtype)
    team.run(_glu, threads.blocks(len(x), x.size), plain(x), y)
    return y


def glu_vjp(x, dy):
    """See the reference."""
    dx = np.empty_like(x, order="C")
    team.run(_glu_vjp, threads.blocks(len(x), x.size), plain(x), plain(dy), dx)
    return dx


def softplus(x):
    """See the reference."""
    return _each(_softplus, x)


def softplus_vjp(x, dy):
    """See the reference."""
    return _each(_softplus_vjp, x, dy)


def _each(kernel, *arrays):
    x, *others = map(plain, arrays)
    y = np.empty_like(x)
    flat = [array.reshape(-1) for array in (x, *others, y)]
    team.run(kernel, threads.blocks(y.size, y.size), *flat)
    return y


@jit
def sigmoid(x):
    """1 / (1 + e^-x), with all its digits on both sides."""
    one = type(x)(1)
    z = exp(-abs(x))
    return (z if x < 0 else one) / (one + z)


@jit
def _silu(x, y, part, start, stop):
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        y[i] = x[i] * sigmoid(x[i])


@jit
def _silu_vjp(x, dy, dx, part, start, stop):
    x, dy, dx = x[start:stop], dy[start:stop], dx[start:stop]
    one = x.dtype.type(1)
    for i in range(x.size):
        s = sigmoid(x[i])
        dx[i] = dy[i] * (s * (one + x[i] * (one - s)))


@jit
def _glu(x, y, part, start, stop):
    width = y.shape[1]
    for i in range(start, stop):
        a, b = x[i, :width], x[i, width:]
        for e in range(width):
            y[i, e] = a[e] * sigmoid(b[e])


@jit
def _glu_vjp(x, dy, dx, part, start, stop):
    width, one = dy.shape[1], x.dtype.type(1)
    for i in range(start, stop):
        a, b, da, db = x[i, :width], x[i, width:], dx[i, :width], dx[i, width:]
        for e in range(width):
            z = exp(-abs(b[e]))
            da[e] = dy[i, e] * sigmoid(b[e])
            db[e] = dy[i, e] * (a[e] * (z / ((one + z) * (one + z))))


@jit
def _softplus(x, y, part, start, stop):
    """With ln(1 + z) = 2 atanh(t), t = z / (2 + z): the C library's log1p is a call per entry."""
    x, y = x[start:stop], y[start:stop]
    kind = x.dtype.type
    for i in range(x.size):
        z = exp(-abs(x[i]))
        t = z / (kind(2) + z)
        square, series = t * t, kind(0)
        for k in range(_TERMS):
            series = series * square + kind(1 / (2 * (_TERMS - k) - 1))
        y[i] = max(x[i], kind(0)) + kind(2) * t * series


@jit
def _softplus_vjp(x, dy, dx, part, start, stop):
    x, dy, dx = x[start:stop], dy[start:stop], dx[start:stop]
    for i in range(x.size):
        dx[i] = dy[i] * sigmoid(x[i])
