"""Products of matrices, and of batches of them; the threads share the rows, or else the batch."""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.product import FEW, set_product


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
    a, b = (np.require(x, None, ["A", "W"]) for x in (a, b))
    zeros = np.zeros((1, b.shape[2]), b.dtype)
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
