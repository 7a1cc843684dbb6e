"""Newton-Schulz iterations on a batch of matrices; each thread has matrices of its own."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.matmul import set_product


def newton_schulz(x, coefficients, steps):
    """See the reference."""
    y = np.array(x, order="C")
    spans = threads.blocks(len(y), y.size * y.shape[1])
    a, b, c = (y.dtype.type(number) for number in coefficients)
    team.run(_newton_schulz, spans, y, a, b, c, steps)
    return y


@jit
def _newton_schulz(x, a, b, c, steps, part, start, stop):
    rows, columns = x.shape[1:]
    old, transposed = np.empty((rows, columns), x.dtype), np.empty((columns, rows), x.dtype)
    square, scaled = np.empty((rows, rows), x.dtype), np.empty((rows, rows), x.dtype)
    factor, zeros = np.empty((rows, rows), x.dtype), np.zeros((1, rows), x.dtype)
    for n in range(start, stop):
        for _ in range(steps):
            for i in range(rows):
                for j in range(columns):
                    old[i, j] = transposed[j, i] = x[n, i, j]
                    x[n, i, j] *= a
            set_product(square, zeros, old, transposed)
            for i in range(rows):
                for j in range(rows):
                    scaled[i, j], factor[i, j] = c * square[i, j], b * square[i, j]
            set_product(factor, factor, scaled, square)
            set_product(x[n], x[n], factor, old)
