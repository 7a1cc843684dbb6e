"""Rows of a table, and their gradients added up."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def embedding(ids: Array, weight: Array) -> Array:
    """y[n] = weight[ids[n]].    ids: (N), weight: (V, D) -> y: (N, D)"""
    return weight[ids]


def embedding_vjp(ids: Array, dy: Array, rows: int) -> Array:
    """dweight[v] = the sum of dy[n] over all n with ids[n] = v.    -> (rows, D)"""
    dweight = np.zeros((rows, dy.shape[1]), dy.dtype)
    np.add.at(dweight, ids, dy)
    return dweight
