"""Rows of token ids, and the order in which training sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.tokenizer import Ids, Tokenizer

_WINDOW = 16  # batches whose rows are sorted by length together
_LEAST_BATCHES = 100  # in an epoch, if it is not to learn too little


class Batch(NamedTuple):
    """ids: (B, T).    counted: (B, T) bool, the tokens that count as targets of the loss"""

    ids: Ids
    counted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """A split of a text as token ids.

    ids: (N, T).    lengths: (N,), the number of tokens up to and including the one that ends a row

    Raises ValueError for ids of another shape or dtype.
    """

    ids: Ids
    lengths: Ids

    def __post_init__(self) -> None:
        ids = self.ids
        if ids.ndim != 2 or len(ids) < 1 or ids.shape[1] < 2 or ids.dtype.kind not in "iu":
            raise ValueError(
                f"ids must be integers of shape (N, T), N >= 1 and T >= 2, got {ids.dtype} of "
                f"shape {ids.shape}"
            )

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: Tokenizer, num_tokens: int) -> Rows:
        """N texts as ids, each cut or padded to num_tokens.    -> ids: (N, num_tokens)"""
        return cls(*tokenizer.encode_batch(texts, num_tokens))

    def __len__(self) -> int:
        return len(self.ids)

    def counted(self, rows: Ids | slice) -> npt.NDArray[np.bool_]:
        """Which tokens of these rows count: those after the first, up to and including the end."""
        places = np.arange(self.ids.shape[1])
        return (places > 0) & (places < self.lengths[rows, None])

    def batch(self, rows: Ids) -> Batch:
        """These rows, cut to the longest of them; the padding after a row's end does not count."""
        longest = self.lengths[rows].max()
        return Batch(self.ids[rows, :longest], self.counted(rows)[:, :longest])

    def whole_batch(self, rows: Ids) -> Batch:
        """These rows with all T tokens; all but the first count, padding too, as in the article."""
        everything = np.ones((len(rows), self.ids.shape[1]), bool)
        everything[:, 0] = False  # the first token is not predicted
        return Batch(self.ids[rows], everything)


def rows_per_batch(lengths: Ids, batch_size: int, batch_tokens: int) -> int:
    """How many rows make up about batch_tokens tokens, but at least batch_size.

    lengths: of each row. There are no more rows than leave `_LEAST_BATCHES` batches in an epoch.
    """
    wanted = min(batch_tokens * len(lengths) // int(lengths.sum()), len(lengths) // _LEAST_BATCHES)
    return max(batch_size, wanted)


def batches(
    num_rows: int, batch_size: int, rng: np.random.Generator, lengths: Ids | None = None
) -> list[Ids]:
    """The row indices of each batch of one epoch, shuffled by rng; one batch may be smaller.

    lengths: (N,), of the rows. If it is given, rows of similar length share a batch, so there is
    little padding: the shuffled rows are sorted by length within windows of `_WINDOW` batches, and
    then the batches are shuffled.

    Raises InputError for a batch_size below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    order = rng.permutation(num_rows).astype(np.int64, copy=False)
    if lengths is None:
        return _cut(order, batch_size)
    windows = [
        part[np.argsort(lengths[part], kind="stable")] for part in _cut(order, _WINDOW * batch_size)
    ]
    cut = [batch for window in windows for batch in _cut(window, batch_size)]
    return [cut[i] for i in rng.permutation(len(cut))]


def _cut(rows: Ids, size: int) -> list[Ids]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]
