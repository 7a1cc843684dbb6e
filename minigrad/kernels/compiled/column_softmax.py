"""Attention's softmax, along columns: one key a row, and what attends to it side by side."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.compiled.exp import exp2
from minigrad.kernels.compiled.jit import jit

_LOG2_E = 1 / math.log(2)


@jit
def exponentials(s, largest, total):
    """s = e^(s - largest), with the largest and the total of each column."""
    log2_e = s.dtype.type(_LOG2_E)
    largest[:] = -np.inf
    by_four = len(s) // 4 * 4
    for i in range(0, by_four, 4):  # one at a time, each maximum would wait for the one before
        for j in range(s.shape[1]):
            two, others = max(s[i, j], s[i + 1, j]), max(s[i + 2, j], s[i + 3, j])
            largest[j] = max(largest[j], max(two, others))
    for i in range(by_four, len(s)):
        for j in range(s.shape[1]):
            largest[j] = max(largest[j], s[i, j])
    total[:] = 0
    for i in range(len(s)):
        for j in range(s.shape[1]):
            s[i, j] = exp2(log2_e * (s[i, j] - largest[j]))
            total[j] += s[i, j]


@jit
def dot(x, y):
    """sum_d x[d] y[d]"""
    total = x.dtype.type(0)
    for d in range(len(x)):
        total += x[d] * y[d]
    return total


@jit
def through_softmax(p, ds):
    """From scores - lse and dp - mean to p = e^(scores - lse) and ds = p (dp - mean), in place.

    The products before have subtracted lse and mean. So all of it is one loop over one axis, which
    keeps the constants of the exponential in registers.
    """
    log2_e = p.dtype.type(_LOG2_E)
    for i in range(len(p)):
        p[i] = exp2(log2_e * p[i])
        ds[i] *= p[i]
