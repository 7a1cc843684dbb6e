"""Products of matrices, tile by tile.

There are fewer loops around `set_tile` than in a BLAS, and no packing, because the model's matrices
are small: a block of b's rows stays in the second-level cache, and a is read in place, transposed
or not. docs/matmul.md compares the two.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.tile import (
    FEW_ROWS,
    TILE_ROWS,
    VECTOR_BYTES,
    set_few_narrow_rows,
    set_few_rows,
    set_narrow_row,
    set_narrow_tile,
    set_row,
    set_tile,
)

_DEPTH, _WIDTH = 256, 512  # rows and columns of b in a block
FEW = 16  # up to this many rows, as in sampling, NumPy and its BLAS take less time


def matmul(a, b):
    """See the reference."""
    if math.prod(a.shape[:-1]) <= FEW:
        return np.matmul(a, b)
    if b.ndim == 2:  # one product, however many batches a has
        rows = a.reshape(1, math.prod(a.shape[:-1]), a.shape[-1])
        return _matmul(rows, b[np.newaxis]).reshape(*a.shape[:-1], b.shape[-1])
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, batch + a.shape[-2:]).reshape(math.prod(batch), *a.shape[-2:])
    b = np.broadcast_to(b, batch + b.shape[-2:]).reshape(math.prod(batch), *b.shape[-2:])
    return _matmul(a, b).reshape(*batch, a.shape[-2], b.shape[-1])


def _matmul(a, b):
    """a: (N, M, K), b: (N, K, L) -> (N, M, L); the threads sharing N or, where that is 1, M."""
    c = np.empty((len(a), a.shape[1], b.shape[2]), a.dtype)
    work = c.size * a.shape[2]
    a, b, zeros = np.require(a, None, ["A", "W"]), plain(b), np.zeros((1, b.shape[2]), b.dtype)
    if len(a) == 1:
        team.run(_rows, threads.blocks(a.shape[1], work), c[0], a[0], b[0], zeros)
    else:
        team.run(_batch, threads.blocks(len(a), work), c, a, b, zeros)
    return c


@jit
def _rows(c, a, b, zeros, part, start, stop):
    set_product(c[start:stop], zeros, a[start:stop], b)


@jit
def _batch(c, a, b, zeros, part, start, stop):
    for n in range(start, stop):
        set_product(c[n], zeros, a[n], b[n])


@jit(inline="always")
def set_product(c, start, a, b):
    """c = start + a @ b.    c: (M, N), start: (M, N) or (1, N), a: (M, K), b: (K, N)

    start may be c itself; a and b may not. The rows of start may be longer than c's. Rows of c,
    start and b are contiguous; a may have any strides.
    """
    # A slice with a step has the type of an array of any layout: one compilation for all callers.
    _set_product(c[::1, ::1], start[::1, ::1], a[::1, ::1], b[::1, ::1])


@jit
def _set_product(c, start, a, b):
    (rows, inner), columns = a.shape, c.shape[1]
    if not inner:  # an empty sum
        for i in range(rows):
            for j in range(columns):
                c[i, j] = start[i if len(start) > 1 else 0, j]
    vector = VECTOR_BYTES // c.itemsize
    most = rows - rows % TILE_ROWS
    even = rows - (rows - most) % FEW_ROWS
    for left in range(0, columns, _WIDTH):
        right = min(columns, left + _WIDTH)
        paired = right - (right - left) % (2 * vector)
        for k in range(0, inner, _DEPTH):
            count = min(_DEPTH, inner - k)
            s = c if k else start
            for i in range(0, most, TILE_ROWS):
                for j in range(left, paired, 2 * vector):
                    set_tile(c, s, a, b, i, j, k, count)
                for j in range(paired, right, vector):
                    set_narrow_tile(c, s, a, b, i, j, k, count)
            for i in range(most, even, FEW_ROWS):
                for j in range(left, paired, 2 * vector):
                    set_few_rows(c, s, a, b, i, j, k, count)
                for j in range(paired, right, vector):
                    set_few_narrow_rows(c, s, a, b, i, j, k, count)
            for i in range(even, rows):
                for j in range(left, paired, 2 * vector):
                    set_row(c, s, a, b, i, j, k, count)
                for j in range(paired, right, vector):
                    set_narrow_row(c, s, a, b, i, j, k, count)


@jit
def transpose(x, xt):
    """xt = x^T, and 0 where x has fewer rows than xt has columns."""
    for i in range(len(xt)):
        for j in range(len(x)):
            xt[i, j] = x[j, i]
        for j in range(len(x), xt.shape[1]):
            xt[i, j] = 0
