"""What several families ask of their arrays: rows, and ids that are in range."""

from __future__ import annotations

import math

import numpy as np


def as_rows(x):
    """(..., C) as (N, C); reshape's own -1 cannot tell N where C is 0."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def check_ids(name, ids, count, ignored=False):
    """Before a kernel reads where an id says: is it an integer in 0..count-1, or ignored?"""
    if ids.dtype.kind not in "iu":
        raise TypeError(f"{name}s are integers, got {ids.dtype}")
    outside = ((ids < 0) | (ids >= count)) & ~np.asarray(ignored)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise IndexError(f"{name} {ids[place]} at {list(place)} is outside 0..{count - 1}")
