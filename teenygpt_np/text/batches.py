"""A split of a text as token ids, cut into rows, and the order in which training sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.mapping import release
from teenygpt_np.text.tokenizer import Ids, Tokenizer, Unsigned

ANY = 2**31 - 1  # tokens in a row that is not cut yet
_AT_ONCE = 256  # rows gathered, between which memory is given back
_WINDOW = 16  # batches whose rows are sorted by length together
_LEAST_BATCHES = 100  # in an epoch, if it is not to learn too little


class Batch(NamedTuple):
    """ids: (B, T).    counted: (B, T) bool, the tokens that count as targets of the loss"""

    ids: Ids
    counted: npt.NDArray[np.bool_]


class Split(ABC):
    """A split of a text: all of its token ids one after the other, from which rows are gathered.

    ids: (M,), of any unsigned type, in memory or in a file.    tokenizer: its own.
    num_tokens: T, what a model reads at most
    """

    unit: str  # the word for one row
    shrinks: str  # the settings by which `least` becomes less
    ids: Unsigned
    tokenizer: Tokenizer
    num_tokens: int

    @property
    @abstractmethod
    def width(self) -> int:
        """The most tokens in a row."""

    @abstractmethod
    def every(self, step: int) -> Ids:
        """The numbers by which `batch` knows each step-th row of one pass."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many tokens all rows have together."""

    @property
    @abstractmethod
    def rows_per_epoch(self) -> int:
        """How many rows training sees in one pass."""

    @abstractmethod
    def least(self, batch_size: int) -> int:
        """How much text, in `measure`, fills one batch in training."""

    @abstractmethod
    def rows_per_batch(self, batch_size: int, batch_tokens: int, *, padded: bool) -> int:
        """batch_size, or more where rows are so short that it makes less than batch_tokens."""

    @abstractmethod
    def shuffled(self, batch_size: int, rng: np.random.Generator, *, padded: bool) -> list[Ids]:
        """The numbers of the rows in each batch of one epoch.    padded: whether padding counts"""

    @abstractmethod
    def extent(self, rows: Ids) -> tuple[Ids, Ids]:
        """Where these rows begin in `ids`, and how many tokens they have."""

    @abstractmethod
    def cut(self, num_tokens: int) -> Split:
        """The same text for a model that reads num_tokens."""

    @abstractmethod
    def places(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays besides `ids` that say where its rows are, by name."""

    @classmethod
    @abstractmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], tokenizer: Tokenizer) -> Split:
        """The split of these ids and places, in rows of any length."""

    @property
    @abstractmethod
    def measure(self) -> str:
        """What `amount` counts."""

    @property
    @abstractmethod
    def amount(self) -> int:
        """How much text it is, in `measure`."""

    @abstractmethod
    def num_cut(self, num_tokens: int) -> int:
        """How many rows a model that reads num_tokens would not see to their end."""

    def num_lost(self, num_tokens: int) -> int:
        """How many of them `cut` leaves out."""
        return 0

    @abstractmethod
    def __len__(self) -> int:
        """N, how many rows one pass has."""

    @property
    def in_order(self) -> Ids:
        """The numbers of all rows of one pass.    -> (N,)"""
        return self.every(1)

    def batch(self, rows: Ids) -> Batch:
        """These rows, cut to the longest of them; the padding after a row's end does not count."""
        starts, lengths = self.extent(rows)
        places = np.arange(lengths.max(initial=0))
        found = np.empty((len(rows), len(places)), np.int64)
        last = len(self.ids) - 1
        for some in range(0, len(rows), _AT_ONCE):  # each may be on another page of a file
            part = slice(some, some + _AT_ONCE)
            found[part] = self.ids[np.minimum(starts[part, None] + places, last)]
            release(self.ids)
        found[places >= lengths[:, None]] = self.tokenizer.pad
        return Batch(found, self.counted(rows)[:, : len(places)])

    def whole_batch(self, rows: Ids) -> Batch:
        """These rows with all T tokens; all but the first count, padding too, as in the article."""
        ids = np.full((len(rows), self.width), self.tokenizer.pad)
        given = self.batch(rows).ids
        ids[:, : given.shape[1]] = given
        counted = np.ones(ids.shape, bool)
        counted[:, 0] = False  # the first token is not predicted
        return Batch(ids, counted)

    def counted(self, rows: Ids) -> npt.NDArray[np.bool_]:
        """Which tokens of these rows count: those after the first, up to and including the end."""
        places = np.arange(self.width)
        return (places > 0) & (places < self.extent(rows)[1][:, None])

    def evenly(self, most_tokens: int) -> Ids:
        """Rows spread evenly over the text that have about most_tokens tokens; 0: all rows."""
        step = -(-self.size // most_tokens) if most_tokens else 1
        return self.every(step)

    def sizes(self, ids: Ids) -> tuple[int, int]:
        """The characters and the bytes of the text that these tokens stand for."""
        characters, size = (int(of_id[ids].sum()) for of_id in self.tokenizer.sizes)
        return characters, size


def in_batches(rows: Ids) -> list[Ids]:
    """The rows in batches to be scored, of 64 rows or, the last one, fewer."""
    return [rows[start : start + 64] for start in range(0, len(rows), 64)]


@dataclass(frozen=True, eq=False)
class Rows(Split):
    """A text of lines: each is a row, with the id that begins it and, if it is not cut, its end.

    starts, lengths: (N,), where each row begins in `ids`, and how many tokens it has there
    """

    ids: Unsigned
    starts: npt.NDArray[Any]
    lengths: npt.NDArray[Any]
    tokenizer: Tokenizer
    num_tokens: int
    unit: str = "line"
    shrinks = "--batch-size"

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: Tokenizer, num_tokens: int) -> Rows:
        """N texts as ids, each at most num_tokens long."""
        ids, lengths = with_ends(texts, tokenizer)
        return cls(ids, starts_of(lengths), lengths, tokenizer, num_tokens).cut(num_tokens)

    @property
    def width(self) -> int:
        """T."""
        return self.num_tokens

    def every(self, step: int) -> Ids:
        """0, step, 2 step, ... below N."""
        return np.arange(0, len(self), step)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def size(self) -> int:
        """The sum of their lengths."""
        return int(self.lengths.sum())

    @property
    def rows_per_epoch(self) -> int:
        """N."""
        return len(self.starts)

    def least(self, batch_size: int) -> int:
        """As many rows."""
        return batch_size

    def rows_per_batch(self, batch_size: int, batch_tokens: int, *, padded: bool) -> int:
        """As many rows as `rows_per_batch` says of their lengths, which are all T with padding."""
        lengths = np.full(len(self), self.width) if padded else self.lengths
        return rows_per_batch(lengths, batch_size, batch_tokens)

    def shuffled(self, batch_size: int, rng: np.random.Generator, *, padded: bool) -> list[Ids]:
        """Every row once; without padding, rows of similar length share a batch."""
        return batches(len(self.starts), batch_size, rng, None if padded else self.lengths)

    def extent(self, rows: Ids) -> tuple[Ids, Ids]:
        """The rows' starts and lengths."""
        starts = self.starts[rows].astype(np.int64)
        release(self.starts)
        return starts, self.lengths[rows].astype(np.int64)

    def cut(self, num_tokens: int) -> Rows:
        """The rows, each at most num_tokens long."""
        lengths = np.minimum(self.lengths, num_tokens)
        return replace(self, lengths=lengths, num_tokens=num_tokens)

    def places(self) -> dict[str, npt.NDArray[Any]]:
        """Starts and lengths."""
        return {"starts": self.starts, "lengths": self.lengths}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], tokenizer: Tokenizer) -> Rows:
        """The rows, as long as they are."""
        return cls(arrays["ids"], arrays["starts"], arrays["lengths"], tokenizer, ANY)

    @property
    def measure(self) -> str:
        """Rows."""
        return f"{self.unit}s"

    @property
    def amount(self) -> int:
        """N."""
        return len(self.starts)

    def num_cut(self, num_tokens: int) -> int:
        """Those with more tokens between their begin and their end than fit behind the begin."""
        return int((self.lengths - 2 >= num_tokens).sum())

    def texts(self) -> list[str]:
        """The text of each row."""
        ends = zip(*(a.tolist() for a in self.extent(self.in_order)), strict=True)
        return [self.tokenizer.decode(self.ids[start : start + n]) for start, n in ends]


@dataclass(frozen=True, eq=False)
class Windows(Split):
    """A running text: a row is any num_tokens + 1 tokens in a row, of which all but one are read.

    The number of a row is the place where it begins. One pass, which predicts each token once, has
    rows that begin num_tokens apart.
    """

    ids: Unsigned
    tokenizer: Tokenizer
    num_tokens: int
    unit, shrinks = "window", "--num-tokens or --batch-size"

    @property
    def width(self) -> int:
        """T + 1: a model reads all but the last."""
        return self.num_tokens + 1

    def every(self, step: int) -> Ids:
        """0, T, 2T, ..., or each step-th of them: the last row may be shorter."""
        return np.arange(0, len(self.ids) - 1, self.num_tokens * step)

    def __len__(self) -> int:
        return -(-(len(self.ids) - 1) // self.num_tokens)

    @property
    def size(self) -> int:
        """Those of the text: what two rows share counts once."""
        return len(self.ids)

    @property
    def rows_per_epoch(self) -> int:
        """As many whole windows as fit wherever the first of them begins; none in a short text."""
        room = (len(self.ids) - 1) // self.num_tokens
        return room - 1 if room > 1 else room

    def least(self, batch_size: int) -> int:
        """What `rows_per_epoch` needs for so many windows."""
        return (batch_size + (batch_size > 1)) * self.num_tokens + 1

    def rows_per_batch(self, batch_size: int, batch_tokens: int, *, padded: bool) -> int:
        """batch_size: all windows are equally long."""
        return batch_size

    def shuffled(self, batch_size: int, rng: np.random.Generator, *, padded: bool) -> list[Ids]:
        """Windows one after the other; where the first of them begins differs between epochs."""
        T, number = self.num_tokens, self.rows_per_epoch
        first = rng.integers(min(T, len(self.ids) - number * T))
        return cut_up(first + T * rng.permutation(number), batch_size)

    def extent(self, rows: Ids) -> tuple[Ids, Ids]:
        """The rows' own numbers, and T + 1 tokens, as far as there are so many."""
        return rows, np.minimum(self.width, len(self.ids) - rows)

    def places(self) -> dict[str, npt.NDArray[Any]]:
        """None: a window may begin anywhere."""
        return {}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], tokenizer: Tokenizer) -> Windows:
        """The whole text as one window."""
        return cls(**arrays, tokenizer=tokenizer, num_tokens=max(len(arrays["ids"]) - 1, 1))

    @property
    def measure(self) -> str:
        """Tokens."""
        return "tokens"

    @property
    def amount(self) -> int:
        """M."""
        return len(self.ids)

    def num_cut(self, num_tokens: int) -> int:
        """0: what does not fit into one window is in another."""
        return 0

    def cut(self, num_tokens: int) -> Windows:
        """The same text in windows of num_tokens + 1."""
        return Windows(self.ids, self.tokenizer, num_tokens)


def with_ends(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[Unsigned, Ids]:
    """Each text's ids between `begin` and `end`, one text after the other, and their lengths."""
    inner, counts = tokenizer.encode(texts)
    lengths = counts + 2
    ids = np.full(int(lengths.sum()), tokenizer.end, inner.dtype)
    starts = starts_of(lengths)
    within = np.ones(len(ids), bool)
    within[starts] = within[starts + lengths - 1] = False
    ids[starts], ids[within] = tokenizer.begin, inner
    return ids, lengths


def starts_of(lengths: npt.NDArray[Any]) -> Ids:
    """Where texts of these lengths begin, if each begins where the one before it ends."""
    starts = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    return starts


def rows_per_batch(lengths: Ids, batch_size: int, batch_tokens: int) -> int:
    """How many rows make up about batch_tokens tokens, but at least batch_size.

    lengths: of each row. There are no more rows than leave `_LEAST_BATCHES` batches in an epoch.
    """
    wanted = min(batch_tokens * len(lengths) // int(lengths.sum()), len(lengths) // _LEAST_BATCHES)
    return max(batch_size, wanted)


def batches(
    num_rows: int,
    batch_size: int,
    rng: np.random.Generator,
    lengths: npt.NDArray[Any] | None = None,
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
        return cut_up(order, batch_size)
    for window in cut_up(order, _WINDOW * batch_size):
        window[:] = window[np.argsort(lengths[window], kind="stable")]
    cut = cut_up(order, batch_size)
    return [cut[i] for i in rng.permutation(len(cut))]


def cut_up(rows: Ids, size: int) -> list[Ids]:
    """The rows in batches of this size; the last may be smaller."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def check_batch(name: str, train: Split, batch_size: int) -> None:
    """Raise InputError if the training split of a corpus does not fill one batch."""
    if train.rows_per_epoch < batch_size:
        raise InputError(
            f"the training split of {name} has {train.amount:,} {train.measure}, wanted at least "
            f"{train.least(batch_size):,} for a batch of {batch_size:,}; a smaller "
            f"{train.shrinks} needs less"
        )
