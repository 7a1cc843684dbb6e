"""Rows of token ids for tests, in which 0 ends a row, and which of their tokens count."""

from __future__ import annotations

from typing import Any

import numpy as np

from teenygpt_np.text.batches import Rows
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import Corpus

Array = np.ndarray[Any, np.dtype[Any]]


def length(row: Array) -> int:
    """The number of tokens up to and including the first 0 after the first token; or of all."""
    ends = [t for t, token in enumerate(row) if token == 0 and t > 0]
    return ends[0] + 1 if ends else len(row)


def rows_of(ids: Any, num_token_vals: int) -> Rows:
    """The rows of ids (N, T), each with its length, as if of an alphabet of that size."""
    ids = np.asarray(ids)
    alphabet = "".join(map(chr, range(ord("a"), ord("a") + num_token_vals - 2)))
    lengths = np.array([length(row) for row in ids], np.int64)
    starts = np.arange(len(ids)) * ids.shape[1]
    return Rows(ids.ravel(), starts, lengths, CharacterTokenizer(alphabet), ids.shape[1])


def texts(corpus: Corpus, split: str) -> list[str]:
    """The lines of a split."""
    rows = corpus.splits[split]
    assert isinstance(rows, Rows)
    return rows.texts()


def counted(ids: Any) -> Array:
    """Which tokens count if padding does not."""
    return np.array([[t < length(row) for t in range(len(row))] for row in np.asarray(ids)])
