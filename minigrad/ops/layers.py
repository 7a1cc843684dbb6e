"""Layers of neural networks, each as one operation."""

from __future__ import annotations

import numpy as np

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import as_rows, check_ids
from minigrad.tape import is_recording


@differentiable
def linear(x, weight, bias, /):
    """y = x @ weight^T + bias.    x: (..., I), weight: (O, I), bias: (O) -> y: (..., O)

    dx = dy @ weight, dweight = dy^T @ x, dbias = sum of dy over all but the last axis.

    Keeps x and weight.    The same as `x @ weight.T + bias`, in fewer passes.
    """
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or x.shape[-1:] != weight.shape[1:]:
        raise ValueError(
            f"linear of x {x.shape}, weight {weight.shape}, bias {bias.shape}: "
            "wanted (..., I), (O, I), (O)"
        )
    rows = as_rows(x)

    def vjp(dy, needed):
        dx, *others = kernels.linear_vjp(as_rows(dy), rows, weight, needed)
        return (lambda: dx.reshape(x.shape)), *others

    return kernels.linear(rows, weight, bias).reshape(*x.shape[:-1], len(weight)), vjp


KEEP = 16 << 20  # bytes
_WIDE = 256  # to read a hidden layer from memory takes longer than to compute it from fewer inputs


@differentiable
def mlp(x, w1, b1, w2, b2, /, keep=KEEP):
    """y = gelu(x w1^T + b1) w2^T + b2, the transformer's two layers in one.

    x: (..., D), w1: (H, D), b1: (H), w2: (E, H), b2: (E) -> y: (..., E)

    dx = dh w1, dw1 = dh^T x, db1 = sum(dh), dw2 = dy^T gelu(h), db2 = sum(dy), with
    h = x w1^T + b1, dh = (dy w2) gelu'(h).    Keeps x, w1, b1 and w2, and a small hidden layer.

    The hidden layer is by far the largest array of a transformer. It is computed in pieces, which
    backward computes again. Only where it has at most `keep` bytes, and D is so large that this
    would take long, h is kept.
    """
    if not (
        w1.ndim == w2.ndim == 2
        and x.shape[-1:] == w1.shape[1:]
        and w2.shape[1:] == b1.shape == w1.shape[:1]
        and b2.shape == w2.shape[:1]
    ):
        raise ValueError(
            f"mlp of x {x.shape}, w1 {w1.shape}, b1 {b1.shape}, w2 {w2.shape}, b2 {b2.shape}: "
            "wanted (..., D), (H, D), (H), (E, H), (E)"
        )
    rows = as_rows(x)
    size = x.itemsize * len(rows) * len(w1)
    is_kept = is_recording() and w1.shape[1] >= _WIDE and size <= keep
    y, hidden = kernels.mlp(rows, w1, b1, w2, b2, is_kept)

    def vjp(dy, needed):
        dx, *others = kernels.mlp_vjp(as_rows(dy), rows, w1, b1, w2, hidden, needed)
        return (lambda: dx.reshape(x.shape)), *others

    return y.reshape(*x.shape[:-1], len(w2)), vjp


@differentiable(constants=["ids"])
def embedding(ids, weight, /):
    """y[...] = weight[ids[...]].    ids: (...) integers, weight: (V, D) -> y: (..., D)

    dweight[v] = the sum of dy wherever ids = v.    Keeps ids.

    Raises TypeError for ids that are no integers, IndexError for one outside 0..V-1.
    """
    if weight.ndim != 2 or (len(weight) == 0 and ids.size > 0):
        raise ValueError(f"embedding weight has shape {weight.shape}, wanted (V, D), V at least 1")
    check_ids("id", ids, len(weight))
    flat = ids.reshape(-1).astype(np.intp)
    shape, rows = (*ids.shape, weight.shape[1]), len(weight)

    def vjp(dy):
        return None, kernels.embedding_vjp(flat, as_rows(dy), rows)

    return kernels.embedding(flat, weight).reshape(shape), vjp


@differentiable
def dropout(x, /, p=0.5, *, rng, training=True):
    """y = x m / (1 - p), each m 0 with probability p, else 1.    dx = dy m / (1 - p).    Keeps m.

    rng: the numpy.random.Generator the m are drawn from. training: False gives y = x.

    Source: Srivastava et al., Dropout, 2014, JMLR 15:1929-1958; scaled in training, not after it.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability is {p}, wanted 0 <= p <= 1")
    if not training or p == 0:
        return x, lambda dy: (dy,)
    kept = rng.random(x.shape, dtype=np.float32) >= np.float32(p)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)

    def vjp(dy):
        return (dy * scale * kept,)

    return x * scale * kept, vjp
