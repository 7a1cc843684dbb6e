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
def _together(x, n, last, length, places):
    """How many lanes from n on are moved at once: a vector's, if all have as many positions, or 1.

    places[m]: gets where lane n + m begins in x.reshape(-1)
    """
    heads, segments = x.shape[2], max(1, -(-x.shape[1] // max(length, 1)))
    shortest, longest = x.shape[1], 0
    for m in range(len(places)):
        segment = (n + m) // heads
        first = segment % segments * length
        row = segment // segments * x.shape[1] + first
        places[m] = (row * heads + (n + m) % heads) * x.shape[3]
        count = min(length, x.shape[1] - first)
        shortest, longest = min(shortest, count), max(longest, count)
    return len(places) if shortest == longest and n + len(places) <= last else 1


@jit
def pack(x, length, t, first, last, scale, filler, packed):
    """packed[c, i, n] = scale * x of position t + c and lane first + n; after x's end the filler.

    Where packed has room for more lanes, what is there stays: nothing that is read comes of it.
    """
    flat, step, width = x.reshape(-1), x.shape[2] * x.shape[3], x.shape[3]
    places = np.empty(VECTOR_BYTES // x.itemsize, np.intp)
    n = 0
    while n < last - first:
        lanes = _together(x, first + n, last, length, places)
        fours = width // 4 * 4 if lanes >= 4 else 0
        count = min(len(packed), max(len(head(x, first + n, length)) - t, 0))
        for c in range(count):
            shift = (t + c) * step
            for i in range(0, fours, 4):
                to_lanes(packed, c, i, n, flat, places, shift + i, scale)
            for i in range(fours, width):
                for m in range(lanes):
                    packed[c, i, n + m] = scale * flat[places[m] + shift + i]
        for c in range(count, len(packed)):
            for i in range(width):
                packed[c, i, n : n + lanes] = filler
        n += lanes


@jit
def unpack(packed, length, t, first, last, scale, x):
    """The reverse: x of these positions and lanes = scale * packed."""
    flat, step, width = x.reshape(-1), x.shape[2] * x.shape[3], x.shape[3]
    places = np.empty(VECTOR_BYTES // x.itemsize, np.intp)
    n = 0
    while n < last - first:
        lanes = _together(x, first + n, last, length, places)
        fours = width // 4 * 4 if lanes >= 4 else 0
        for c in range(min(len(packed), len(head(x, first + n, length)) - t)):
            shift = (t + c) * step
            for i in range(0, fours, 4):
                from_lanes(packed, c, i, n, flat, places, shift + i, scale)
            for i in range(fours, width):
                for m in range(lanes):
                    flat[places[m] + shift + i] = scale * packed[c, i, n + m]
        n += lanes
