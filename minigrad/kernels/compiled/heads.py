"""Heads side by side: arrays of positions and heads, the heads moved to the last axis and back.

The heads of all sequences are counted through, and some of them are taken together, each as a lane.
A loop over the last axis is then one on vectors, however narrow or short a head is. A lane may also
be a segment of a head's positions: the heads of a sequence's first segment, those of the second.
"""

from __future__ import annotations

from minigrad.kernels.compiled.jit import jit


@jit
def head(x, n, length):
    """x of the n-th lane, of `length` positions or, at the end, fewer.    (B, T, H, d) -> (T, d)"""
    segment, heads = n // x.shape[2], x.shape[2]
    segments = max(1, -(-x.shape[1] // max(length, 1)))
    first = segment % segments * length
    return x[segment // segments, first : min(first + length, x.shape[1]), n % heads]


@jit
def pack(x, length, t, first, last, scale, filler, packed):
    """packed[c, i, n] = scale * x of position t + c and lane first + n; after x's end the filler.

    Where packed has room for more lanes, what is there stays: nothing that is read comes of it.
    """
    for n in range(last - first):
        one = head(x, first + n, length)
        count = min(len(packed), max(len(one) - t, 0))
        for c in range(count):
            for i in range(one.shape[1]):
                packed[c, i, n] = scale * one[t + c, i]
        for c in range(count, len(packed)):
            for i in range(one.shape[1]):
                packed[c, i, n] = filler


@jit
def unpack(packed, length, t, first, last, scale, x):
    """The reverse: x of these positions and lanes = scale * packed."""
    for n in range(last - first):
        one = head(x, first + n, length)
        for c in range(min(len(packed), len(one) - t)):
            for i in range(one.shape[1]):
                one[t + c, i] = scale * packed[c, i, n]
