"""The transformer's MLP without its hidden layer in memory.

The hidden layer is computed in blocks of rows and hidden units that stay in the second-level cache:
each is used and dropped, and backward computes it again, unless forward was told to keep it.
Forward divides the rows among the threads; backward the hidden units, so that every thread has
weight gradients of its own.

The weights of a block are copied out of their matrix. Where its rows lie a power of two apart, as
with 2,048 hidden units, the entries of one column would evict each other from the cache.
"""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels import reference
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.gelu import normal_cdf, normal_density
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.product import FEW, set_product, transpose

_ROWS = 96  # in a block: a multiple of a tile's rows, be they 6 or 12
_UNITS = 256  # hidden units in a block


def mlp(x, w1, b1, w2, b2, keep):
    """See the reference."""
    if len(x) <= FEW:
        return reference.mlp(x, w1, b1, w2, b2, keep)
    y = np.empty((len(x), len(w2)), x.dtype)
    hidden = np.empty((len(x) if keep else 0, len(w1)), x.dtype)
    spans = threads.blocks(len(x), len(x) * len(w1))
    b1, b2 = (plain(b).reshape(1, -1) for b in (b1, b2))
    team.run(_mlp, spans, y, plain(x), plain(w1), b1, plain(w2.T), b2, hidden)
    return y, hidden


@jit
def _mlp(y, x, w1, b1, w2t, b2, hidden, part, start, stop):
    w1t, one = np.empty((x.shape[1], _UNITS), x.dtype), x.dtype.type(1)
    for unit in range(0, max(len(w1), 1), _UNITS):  # once without any: y = b2
        end = min(len(w1), unit + _UNITS)
        transpose(w1[unit:end], one, w1t)
        w1_now, b1_now, w2_now = w1t[:, : end - unit], b1[:, unit:end], w2t[unit:end]
        for row in range(start, stop, _ROWS):
            now = slice(row, min(stop, row + _ROWS))
            kept = hidden[now, unit:end]
            set_units(y[now], y[now] if unit else b2, x[now], w1_now, b1_now, w2_now, kept)


@jit
def set_units(y, start, x, w1t, b1, w2t, hidden):
    """y = start + gelu(x w1^T + b1) w2^T, and hidden = x w1^T + b1 if it has room for it."""
    # Allocated here, so that LLVM knows that it does not alias b1, and vectorizes.
    h = np.empty((len(x), w1t.shape[1]), x.dtype)
    set_product(h, b1, x, w1t)
    for i in range(len(hidden)):
        for j in range(h.shape[1]):
            hidden[i, j] = h[i, j]
    for i in range(len(h)):
        for j in range(h.shape[1]):
            a = h[i, j]
            h[i, j] = a * normal_cdf(a, normal_density(a))
    set_product(y, start, h, w2t)


def mlp_vjp(dy, x, w1, b1, w2, hidden, needed=(True,) * 5):
    """See the reference."""
    if len(x) <= FEW:
        return reference.mlp_vjp(dy, x, w1, b1, w2, hidden, needed)
    for_x, for_w1, _, for_w2, for_b2 = needed
    dy, x, w1, w2, hidden = map(plain, (dy, x, w1, w2, hidden))
    spans = threads.blocks(len(w1), len(x) * len(w1))
    # What is not needed has no rows, and the loops leave it out; db1 they have as good as free.
    dx, dw1, dw2 = (
        np.empty_like(a if n else a[:0]) for a, n in ((x, for_x), (w1, for_w1), (w2, for_w2))
    )
    others, db1 = np.empty((len(spans) - 1, *dx.shape), x.dtype), np.zeros_like(b1)
    weights = w1, plain(b1).reshape(1, -1), w2
    team.run(_mlp_vjp, spans, dy, x, *weights, hidden, dx, others, dw1, db1, dw2)
    for other in others:
        dx += other
    gradients = dx, dw1, db1, dw2, dy.sum(axis=0) if for_b2 else None
    return tuple([gradient if n else None for gradient, n in zip(gradients, needed, strict=True)])


@jit
def _mlp_vjp(dy, x, w1, b1, w2, kept, dx, others, dw1, db1, dw2, part, start, stop):
    own_dx = others[part - 1] if part else dx
    hidden, dhidden = np.empty((_ROWS, _UNITS), x.dtype), np.empty((_ROWS, _UNITS), x.dtype)
    w1t, dw = np.empty((x.shape[1], _UNITS), x.dtype), np.empty((len(dw2), _UNITS), x.dtype)
    zeros, one = np.zeros((1, max(_UNITS, x.shape[1])), x.dtype), x.dtype.type(1)
    for unit in range(start, max(stop, start + 1), _UNITS):
        end = min(stop, unit + _UNITS)
        transpose(w1[unit:end], one, w1t)
        w, db = w2[:, unit:end].copy(), db1[unit:end]
        dw1_now, dw2_now = dw1[unit:end], dw[:, : end - unit]
        for row in range(0, len(x), _ROWS):
            last = min(len(x), row + _ROWS)
            h, dh = hidden[: last - row, : end - unit], dhidden[: last - row, : end - unit]
            if len(kept):
                for i in range(len(h)):
                    for j in range(end - unit):
                        h[i, j] = kept[row + i, unit + j]
            else:
                set_product(h, b1[:, unit:end], x[row:last], w1t[:, : end - unit])
            set_product(dh, zeros, dy[row:last], w)
            for i in range(len(h)):
                for j in range(end - unit):
                    a = h[i, j]
                    density = normal_density(a)
                    cdf = normal_cdf(a, density)
                    h[i, j] = a * cdf
                    dh[i, j] *= cdf + a * density
                    db[j] += dh[i, j]
            if dx.size:
                dx_rows = own_dx[row:last]
                set_product(dx_rows, dx_rows if unit > start else zeros, dh, w1[unit:end])
            if dw1.size:
                set_product(dw1_now, dw1_now if row else zeros, dh.T, x[row:last])
            if dw2.size:
                set_product(dw2_now, dw2_now if row else zeros, dy[row:last].T, h)
        for i in range(len(dw)):
            for j in range(end - unit):
                dw2[i, unit + j] = dw[i, j]
