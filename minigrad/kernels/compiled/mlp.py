"""The transformer's MLP without its hidden layer in memory.

Each thread takes a part of the hidden units. For a block of rows it computes a block of them, small
enough for the second-level cache, uses it up and forgets it; backward computes it again. Blocks are
transposed, hidden units along the first axis and rows along the second, so that every product runs
along whole rows of positions.
"""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels import reference
from minigrad.kernels.compiled.blocks import block_size, transpose, transpose_back
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.gelu import DENSITY_AT_0, normal_cdf
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.matmul import add_dot_products, add_product

_ROWS = 256  # at most this many rows in a block
_UNITS = 128  # and this many hidden units
_FEW = 16  # up to this many rows, as in sampling, transposing would cost more than it saves


def mlp(x, w1, b1, w2, b2):
    """See the reference."""
    if len(x) <= _FEW:
        return reference.mlp(x, w1, b1, w2, b2)
    spans = threads.blocks(len(w1), len(x) * len(w1))
    parts = np.zeros((len(spans), len(x), len(w2)), x.dtype)
    args = plain(x), plain(w1), plain(b1), plain(w2), parts, block_size(len(x), _ROWS)
    threads.run(_mlp, spans, *args)
    return _sum(parts) + b2


@jit
def _mlp(x, w1, b1, w2, parts, size, part, start, stop):
    kind = x.dtype.type
    xt = np.zeros((x.shape[1], size), x.dtype)
    yt = np.empty((len(w2), size), x.dtype)
    a = np.empty((_UNITS, size), x.dtype)
    for row in range(0, len(x), size):
        transpose(x[row : row + size], xt)
        yt[:] = 0
        for unit in range(start, stop, _UNITS):
            end = min(stop, unit + _UNITS)
            block = a[: end - unit]
            _hidden(xt, w1[unit:end], b1[unit:end], block)
            for i in range(len(block)):
                for j in range(size):
                    h = block[i, j]
                    block[i, j] = h * normal_cdf(h, exp(kind(-0.5) * h * h))
            add_product(yt, w2[:, unit:end], block)
        transpose_back(yt, parts[part, row : row + size])


@jit
def _hidden(xt, w1, b1, a):
    """a = w1 x^T + b1"""
    for i in range(len(a)):
        a[i] = b1[i]
    add_product(a, w1, xt)


def mlp_vjp(dy, x, w1, b1, w2):
    """See the reference."""
    if len(x) <= _FEW:
        return reference.mlp_vjp(dy, x, w1, b1, w2)
    dy, w1, w2 = plain(dy), plain(w1), plain(w2)
    spans = threads.blocks(len(w1), len(x) * len(w1))
    parts = np.zeros((len(spans), *x.shape), x.dtype)
    dw1, db1, dw2 = np.zeros_like(w1), np.zeros_like(b1), np.zeros_like(w2)
    args = dy, plain(x), w1, plain(b1), w2, parts, dw1, db1, dw2, block_size(len(x), _ROWS)
    threads.run(_mlp_vjp, spans, *args)
    return _sum(parts), dw1, db1, dw2, dy.sum(axis=0)


@jit
def _mlp_vjp(dy, x, w1, b1, w2, parts, dw1, db1, dw2, size, part, start, stop):
    kind = x.dtype.type
    density_at_0 = kind(DENSITY_AT_0)
    xt, dyt = np.empty((x.shape[1], size), x.dtype), np.empty((len(w2), size), x.dtype)
    dxt = np.empty_like(xt)
    a, da = np.empty((_UNITS, size), x.dtype), np.empty((_UNITS, size), x.dtype)
    for row in range(0, len(x), size):
        transpose(x[row : row + size], xt)
        transpose(dy[row : row + size], dyt)
        dxt[:] = 0
        for unit in range(start, stop, _UNITS):
            end = min(stop, unit + _UNITS)
            h, dh = a[: end - unit], da[: end - unit]
            _hidden(xt, w1[unit:end], b1[unit:end], h)
            dh[:] = 0
            add_product(dh, w2[:, unit:end].T, dyt)
            for i in range(len(h)):
                total = kind(0)
                for j in range(size):
                    value = h[i, j]
                    e = exp(kind(-0.5) * value * value)
                    cdf = normal_cdf(value, e)
                    h[i, j] = value * cdf
                    dh[i, j] *= cdf + value * e * density_at_0
                for j in range(size):
                    total += dh[i, j]
                db1[unit + i] += total
            add_product(dxt, w1[unit:end].T, dh)
            add_dot_products(dw1[unit:end], dh, xt)
            add_dot_products(dw2[:, unit:end], dyt, h)
        transpose_back(dxt, parts[part, row : row + size])


def _sum(parts):
    """The threads' shares, added up in their order."""
    return parts[0] if len(parts) == 1 else parts.sum(axis=0)
