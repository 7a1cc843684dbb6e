"""Products of matrices."""

from __future__ import annotations

import numpy as np

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import as_rows


@differentiable
def matmul(a, b, /):
    """y = a @ b, with NumPy's rules for 1-d operands and batches.

    a: (..., M, K), b: (..., K, N) -> y: (..., M, N)

    da = dy @ b^T, db = a^T @ dy.    Keeps a and b.

    A 1-d `a` is a row, a 1-d `b` a column; their axis of length 1 is dropped from the result.
    """
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul needs at least one axis each, got shapes {a.shape}, {b.shape}")
    row = a[np.newaxis] if a.ndim == 1 else a
    column = b[:, np.newaxis] if b.ndim == 1 else b
    if row.shape[-1] != column.shape[-2]:
        raise ValueError(
            f"matmul of {a.shape} and {b.shape}: {row.shape[-1]} columns meet "
            f"{column.shape[-2]} rows"
        )
    try:
        np.broadcast_shapes(row.shape[:-2], column.shape[:-2])
    except ValueError:
        raise ValueError(f"matmul of {a.shape} and {b.shape}: the batches differ") from None
    y = kernels.matmul(row, column)
    dropped = tuple(axis for axis, operand in ((-2, a), (-1, b)) if operand.ndim == 1)

    def vjp(dy):
        dy = np.expand_dims(dy, dropped)

        def da():
            d = kernels.matmul(dy, column.swapaxes(-1, -2))
            return d.sum(axis=tuple(range(d.ndim - 1))) if a.ndim == 1 else d

        def db():
            if column.ndim == 2:  # one product of all rows, not one of each batch to be added up
                d = kernels.matmul(as_rows(row).T, as_rows(dy))
            else:
                d = kernels.matmul(row.swapaxes(-1, -2), dy)
            return d[..., 0].sum(axis=tuple(range(d.ndim - 2))) if b.ndim == 1 else d

        return da, db

    return np.squeeze(y, dropped), vjp
