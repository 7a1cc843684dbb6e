"""Products of matrices."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def matmul(a: Array, b: Array) -> Array:
    """y = a @ b.    a: (..., M, K), b: (..., K, N) -> y: (..., M, N)"""
    return np.matmul(a, b)
