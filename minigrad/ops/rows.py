"""What several families do with their arrays: make rows of them, check ids and states."""

from __future__ import annotations

import math

import numpy as np


def as_rows(x):
    """(..., C) as (N, C). NumPy's own reshape(-1, C) fails where C is 0."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def check_ids(name, ids, count, ignored=False):
    """Raise where an id is not an integer in 0..count-1: a kernel would read outside its array."""
    if ids.dtype.kind not in "iu":
        raise TypeError(f"{name}s are integers, got {ids.dtype}")
    outside = ((ids < 0) | (ids >= count)) & ~np.asarray(ignored)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise IndexError(f"{name} {ids[place]} at {list(place)} is outside 0..{count - 1}")


def state_before(name, state, shape, dtype):
    """A copy of the state before a sequence, which is to be written to; zeros for None."""
    if state is None:
        return np.zeros(shape, dtype)
    if not isinstance(state, np.ndarray) or state.dtype.kind != "f":
        found = state.dtype if isinstance(state, np.ndarray) else type(state).__name__
        raise TypeError(f"{name} has a state of {found}, wanted an array of floats")
    if not state.flags.writeable:
        raise ValueError(f"{name} has a state that is read-only, wanted one that can be written to")
    if state.shape != shape:
        raise ValueError(f"{name} has a state {state.shape}, wanted {shape}")
    return state.astype(dtype)
