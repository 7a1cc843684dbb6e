"""Rows of token ids for tests, in which 0 ends a row, and which of their tokens count."""

from __future__ import annotations

from typing import Any

import numpy as np

from teenygpt_np.text.batches import Rows

Array = np.ndarray[Any, np.dtype[Any]]


def length(row: Array) -> int:
    """The number of tokens up to and including the first 0 after the first token; or of all."""
    ends = [t for t, token in enumerate(row) if token == 0 and t > 0]
    return ends[0] + 1 if ends else len(row)


def rows_of(ids: Any) -> Rows:
    """The rows, each with its length."""
    ids = np.asarray(ids)
    return Rows(ids, np.array([length(row) for row in ids], np.int64))


def counted(ids: Any) -> Array:
    """Which tokens count if padding does not."""
    return np.array([[t < length(row) for t in range(len(row))] for row in np.asarray(ids)])
