"""A linear layer: every sum starts from the bias. Each thread has rows of its own."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels import reference
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.product import FEW, set_product

_ROWS = 192  # in a block of dy and x, which is in the cache for both dx and dweight


def linear(x, weight, bias):
    """See the reference."""
    if len(x) <= FEW:
        return reference.linear(x, weight, bias)
    y = np.empty((len(x), len(weight)), x.dtype)
    spans = threads.blocks(len(x), len(x) * weight.size)
    team.run(_linear, spans, y, plain(bias).reshape(1, -1), plain(x), plain(weight))
    return y


@jit
def _linear(y, bias, x, weight, part, start, stop):
    set_product(y[start:stop], bias, x[start:stop], weight.T)


def linear_vjp(dy, x, weight, needed=(True, True, True)):
    """See the reference. Each thread sums dweight and dbias over its own rows."""
    if len(x) <= FEW:
        return reference.linear_vjp(dy, x, weight, needed)
    for_x, for_weight, for_bias = needed
    dy, x, weight = plain(dy), plain(x), plain(weight)
    spans = threads.blocks(len(x), len(x) * weight.size)
    # What is not needed has no rows, and the loops leave it out.
    dx, dweight = (np.empty_like(a if n else a[:0]) for a, n in ((x, for_x), (weight, for_weight)))
    others = np.empty((len(spans) - 1, *dweight.shape), x.dtype)
    dbias = np.zeros((len(spans), len(weight) if for_bias else 0), x.dtype)
    team.run(_linear_vjp, spans, dy, x, weight, dx, dweight, others, dbias)
    for other in others:
        dweight += other
    dweight = dweight if for_weight else None
    return dx if for_x else None, dweight, dbias.sum(axis=0) if for_bias else None


@jit
def _linear_vjp(dy, x, weight, dx, dweight, others, dbias, part, start, stop):
    dw, db = others[part - 1] if part else dweight, dbias[part]
    zeros = np.zeros((1, x.shape[1]), x.dtype)
    for row in range(start, stop, _ROWS):
        last = min(stop, row + _ROWS)
        d = dy[row:last]
        for i in range(len(d)):
            for j in range(len(db)):
                db[j] += d[i, j]
        if dx.size:
            set_product(dx[row:last], zeros, d, weight)
        if dw.size:
            set_product(dw, dw if row > start else zeros, d.T, x[row:last])
