"""Heads side by side: arrays of positions and heads, the heads moved to the last axis and back.

The heads of all sequences are counted through, and some of them are taken together, each as a lane.
A loop over the last axis is then one on vectors, however narrow or short a head is. A lane may also
be a segment of a head's positions: the heads of a sequence's first segment, those of the second.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.lanes import from_lanes, to_lanes
from minigrad.kernels.compiled.tile import VECTOR_BYTES


@jit
def head(x, n, length):
    """x of the n-th lane, of `length` positions or, at the end, fewer.    (B, T, H, d) -> (T, d)"""
    segment, heads = n // x.shape[2], x.shape[2]
    segments = max(1, -(-x.shape[1] // max(length, 1)))
    first = segment % segments * length
    return x[segment // segments, first : min(first + length, x.shape[1]), n % heads]


@jit
def _fill_places(x, n, length, places):
    """places[m] = where lane n + m begins in x.reshape(-1); whether all have as many positions."""
    heads, segments = x.shape[2], max(1, -(-x.shape[1] // max(length, 1)))
    shortest, longest = x.shape[1], 0
    for m in range(len(places)):
        segment = (n + m) // heads
        first = segment % segments * length
        places[m] = (
            (segment // segments * x.shape[1] + first) * heads + (n + m) % heads
        ) * x.shape[3]
        count = min(length, x.shape[1] - first)
        shortest, longest = min(shortest, count), max(longest, count)
    return shortest == longest


@jit
def pack(x, length, t, first, last, scale, filler, packed):
    """packed[c, i, n] = scale * x of position t + c and lane first + n; after x's end the filler.

    Where packed has room for more lanes, what is there stays: nothing that is read comes of it.
    """
    lanes, flat, step = VECTOR_BYTES // x.itemsize, x.reshape(-1), x.shape[2] * x.shape[3]
    width, fours = x.shape[3], x.shape[3] // 4 * 4
    places = np.empty(lanes, np.intp)
    n = 0
    while n < last - first:
        together = lanes if lanes >= 4 and n + lanes <= last - first else 1
        if together > 1 and not _fill_places(x, first + n, length, places):
            together = 1
        one = head(x, first + n, length)
        count = min(len(packed), max(len(one) - t, 0))
        for c in range(count):
            shift = (t + c) * step
            if together > 1:
                for i in range(0, fours, 4):
                    to_lanes(packed, c, i, n, flat, places, shift + i, scale)
                for i in range(fours, width):
                    for m in range(lanes):
                        packed[c, i, n + m] = scale * flat[places[m] + shift + i]
            else:
                for i in range(width):
                    packed[c, i, n] = scale * one[t + c, i]
        for c in range(count, len(packed)):
            for i in range(width):
                packed[c, i, n : n + together] = filler
        n += together


@jit
def unpack(packed, length, t, first, last, scale, x):
    """The reverse: x of these positions and lanes = scale * packed."""
    lanes, flat, step = VECTOR_BYTES // x.itemsize, x.reshape(-1), x.shape[2] * x.shape[3]
    width, fours = x.shape[3], x.shape[3] // 4 * 4
    places = np.empty(lanes, np.intp)
    n = 0
    while n < last - first:
        together = lanes if lanes >= 4 and n + lanes <= last - first else 1
        if together > 1 and not _fill_places(x, first + n, length, places):
            together = 1
        one = head(x, first + n, length)
        for c in range(min(len(packed), len(one) - t)):
            shift = (t + c) * step
            if together > 1:
                for i in range(0, fours, 4):
                    from_lanes(packed, c, i, n, flat, places, shift + i, scale)
                for i in range(fours, width):
                    for m in range(lanes):
                        flat[places[m] + shift + i] = scale * packed[c, i, n + m]
            else:
                for i in range(width):
                    one[t + c, i] = scale * packed[c, i, n]
        n += together
