"""Heads side by side: arrays of positions and heads, the heads moved to the last axis and back.

The heads of all sequences are counted through, and some of them are taken together. A loop over the
last axis is then one on vectors, however narrow or short a head is.
"""

from __future__ import annotations

from minigrad.kernels.compiled.jit import jit


@jit
def head(x, n):
    """x of the n-th head, counted through all sequences.    (B, T, H, d) -> (T, d)"""
    heads = x.shape[2]
    return x[n // heads, :, n % heads]


@jit
def pack(x, t, first, last, scale, packed):
    """packed[c, i, n] = scale * x of position t + c and head first + n, up to x's last position.

    Where packed has room for more heads, what is there stays: nothing that is read comes of it.
    """
    for n in range(last - first):
        one = head(x, first + n)
        for c in range(min(len(packed), len(one) - t)):
            for i in range(one.shape[1]):
                packed[c, i, n] = scale * one[t + c, i]


@jit
def unpack(packed, t, first, last, scale, x):
    """The reverse: x of these positions and heads = scale * packed."""
    for n in range(last - first):
        one = head(x, first + n)
        for c in range(min(len(packed), len(one) - t)):
            for i in range(one.shape[1]):
                one[t + c, i] = scale * packed[c, i, n]
