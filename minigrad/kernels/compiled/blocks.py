"""Blocks of rows, transposed: what the kernels that work on them share."""

from __future__ import annotations

from minigrad.kernels.compiled.jit import jit


@jit
def transpose(x, xt):
    """xt = x^T, and 0 where x has fewer rows than xt has columns."""
    for i in range(len(xt)):
        for j in range(len(x)):
            xt[i, j] = x[j, i]
        for j in range(len(x), xt.shape[1]):
            xt[i, j] = 0


@jit
def transpose_back(xt, x):
    """x = xt^T, as far as x has rows."""
    for j in range(len(x)):
        for i in range(len(xt)):
            x[j, i] = xt[i, j]
