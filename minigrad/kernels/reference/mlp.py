"""The transformer's MLP, its hidden layer in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.kernels.reference.array import Array
from minigrad.kernels.reference.gelu import gelu, gelu_vjp

# Either twin's, as both take the same arguments.
GELU = Callable[[Array, str], Array]
GELUvjp = Callable[[Array, Array, str], Array]

# The hidden layer is computed in pieces of about this many bytes, so that it stays in cache.
_PIECE = 1 << 20


def mlp(
    x: Array,
    w1: Array,
    b1: Array,
    w2: Array,
    b2: Array,
    keep: bool,
    gelu: GELU = gelu,
) -> tuple[Array, Array]:
    """y = gelu(a) w2^T + b2, a = x w1^T + b1, computed in pieces.

    x: (N, D), w1: (H, D), b1: (H), w2: (E, H), b2: (E) -> y: (N, E)
    keep: whether to return a, too, as (N, H); otherwise (0, H)
    gelu, and gelu_vjp below: those of either twin
    """
    y = np.empty((len(x), len(w2)), x.dtype)
    hidden = np.empty((len(x) if keep else 0, len(w1)), x.dtype)
    for rows in _pieces(x, len(w1)):
        a = x[rows] @ w1.T + b1
        if keep:
            hidden[rows] = a
        y[rows] = gelu(a, "none") @ w2.T + b2
    return y, hidden


def mlp_vjp(
    dy: Array,
    x: Array,
    w1: Array,
    b1: Array,
    w2: Array,
    hidden: Array,
    needed: tuple[bool, ...] = (True,) * 5,
    gelu: GELU = gelu,
    gelu_vjp: GELUvjp = gelu_vjp,
) -> tuple[Any, ...]:
    """dx = da w1, dw1 = da^T x, db1 = sum(da), dw2 = dy^T h, db2 = sum(dy).

    da = (dy w2) gelu'(a), h = gelu(a), a being `hidden`, or computed again where that is empty.
    """
    for_x, for_w1, for_b1, for_w2, for_b2 = needed
    dx = np.empty_like(x if for_x else x[:0])  # what is not needed has no rows
    dw1, db1 = np.zeros_like(w1 if for_w1 else w1[:0]), np.zeros_like(b1 if for_b1 else b1[:0])
    dw2 = np.zeros_like(w2 if for_w2 else w2[:0])
    for rows in _pieces(x, len(w1)):
        a = hidden[rows] if len(hidden) else x[rows] @ w1.T + b1
        da = gelu_vjp(a, dy[rows] @ w2, "none")
        if for_x:
            dx[rows] = da @ w1
        if for_w1:
            dw1 += da.T @ x[rows]
        if for_b1:
            db1 += da.sum(axis=0)
        if for_w2:
            dw2 += dy[rows].T @ gelu(a, "none")
    gradients = dx, dw1, db1, dw2, dy.sum(axis=0) if for_b2 else dy
    return tuple([gradient if n else None for gradient, n in zip(gradients, needed, strict=True)])


def _pieces(x: Array, hidden: int) -> list[slice]:
    step = max(16, _PIECE // max(1, hidden * x.itemsize))
    return [slice(start, start + step) for start in range(0, len(x), step)]
