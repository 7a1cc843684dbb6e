"""Newton-Schulz iterations on a batch of matrices; each thread has matrices of its own."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.product import set_product

_BLOCK = 24  # rows of a symmetric product that are computed together


def newton_schulz(x, coefficients, steps):
    """See the reference. It is computed on Y = X^T, which no product needs transposed back:

    Y <- Y (a I + b Y^T Y + c (Y^T Y)^2), both products in the brackets being symmetric.
    """
    y = np.array(x.swapaxes(1, 2), order="C")
    spans = threads.blocks(len(y), y.size * y.shape[2])
    a, b, c = (y.dtype.type(number) for number in coefficients)
    team.run(_newton_schulz, spans, y, a, b, c, steps)
    return y.swapaxes(1, 2)


@jit
def _newton_schulz(y, a, b, c, steps, part, start, stop):
    rows, columns = y.shape[1:]
    old, zeros = np.empty((rows, columns), y.dtype), np.zeros((1, columns), y.dtype)
    square, scaled = np.empty((columns, columns), y.dtype), np.empty((columns, columns), y.dtype)
    factor = np.empty((columns, columns), y.dtype)
    for n in range(start, stop):
        for _ in range(steps):
            for i in range(rows):
                for j in range(columns):
                    old[i, j] = y[n, i, j]
            _set_symmetric(square, zeros, old.T, old)
            for i in range(columns):
                for j in range(columns):
                    scaled[i, j], factor[i, j] = c * square[i, j], b * square[i, j]
            _set_symmetric(factor, factor, scaled, square)
            for i in range(columns):
                factor[i, i] += a
            set_product(y[n], zeros, old, factor)


@jit
def _set_symmetric(c, start, a, b):
    """As `set_product`, of products that are symmetric: computed above the diagonal, and mirrored.

    start is c, or a row of zeros.
    """
    for i in range(0, len(c), _BLOCK):
        above = start[i : i + _BLOCK, i:] if len(start) > 1 else start[:, i:]
        set_product(c[i : i + _BLOCK, i:], above, a[i : i + _BLOCK], b[:, i:])
    for i in range(len(c)):
        for j in range(i):
            c[i, j] = c[j, i]
