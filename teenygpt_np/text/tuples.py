"""Rows of several sequences each, such as a source and its target, in the same three splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import ANY, Batch, Rows, Split, batches, rows_per_batch, starts_of
from teenygpt_np.text.tokenizer import Ids, Tokenizer, Unsigned

_STARTS, _LENGTHS, _NUMBERS = "starts", "lengths", "numbers."  # of the arrays' names


@dataclass(frozen=True, eq=False)
class Tuples(Split):
    """N rows of P texts each, every text with the ids that begin and end it, as a row of `Rows`.

    starts, lengths: (P, N), where each text begins in `ids`, and how many tokens it has there
    numbers: arrays with one entry per row, (N, ...), such as the number of its class

    What `Split` says of a row's tokens (`batch`, `counted`, `extent`) is of its last text, which is
    what a model predicts. A row's size is that of all its texts.
    """

    ids: Unsigned
    starts: npt.NDArray[Any]
    lengths: npt.NDArray[Any]
    tokenizer: Tokenizer
    num_tokens: int
    numbers: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    unit, shrinks = "row", "--batch-size"

    @classmethod
    def of_ids(cls, ids: Unsigned, lengths: Ids, parts: int, tokenizer: Tokenizer) -> Self:
        """The texts of each row one after the other in `ids`.    lengths: (N P), of each text"""
        starts = starts_of(lengths)
        return cls(
            ids,
            np.ascontiguousarray(starts.reshape(-1, parts).T),
            np.ascontiguousarray(lengths.reshape(-1, parts).T),
            tokenizer,
            ANY,
        )

    def part(self, number: int) -> Rows:
        """The texts in this place of every row, by the same row numbers."""
        places = self.starts[number], self.lengths[number]
        return Rows(self.ids, *places, self.tokenizer, self.num_tokens)

    def parts(self, rows: Ids) -> list[Batch]:
        """A batch of each of the P parts of these rows."""
        return [self.part(number).batch(rows) for number in range(len(self.starts))]

    def select(self, rows: Ids) -> Self:
        """Some of the rows, in this order."""
        return dataclasses.replace(
            self,
            starts=self.starts[:, rows],
            lengths=self.lengths[:, rows],
            numbers={name: array[rows] for name, array in self.numbers.items()},
        )

    def with_numbers(self, **numbers: npt.NDArray[Any]) -> Self:
        """The same rows, with these numbers besides those that they have."""
        return dataclasses.replace(self, numbers={**self.numbers, **numbers})

    @property
    def width(self) -> int:
        """T."""
        return self.num_tokens

    def every(self, step: int) -> Ids:
        """0, step, 2 step, ... below N."""
        return np.arange(0, len(self), step)

    def __len__(self) -> int:
        return self.starts.shape[1]

    @property
    def size(self) -> int:
        """The sum of all lengths."""
        return int(self.lengths.sum())

    @property
    def rows_per_epoch(self) -> int:
        """N."""
        return len(self)

    def least(self, batch_size: int) -> int:
        """As many rows."""
        return batch_size

    def rows_per_batch(self, batch_size: int, batch_tokens: int, *, padded: bool) -> int:
        """As many as `rows_per_batch` says of the rows' lengths, all P T with padding."""
        lengths = self.lengths.sum(axis=0)
        if padded:
            lengths = np.full_like(lengths, len(self.lengths) * self.width)
        return rows_per_batch(lengths, batch_size, batch_tokens)

    def shuffled(self, batch_size: int, rng: np.random.Generator, *, padded: bool) -> list[Ids]:
        """Every row once; without padding, rows of similar length share a batch."""
        lengths = None if padded else self.lengths.sum(axis=0)
        return batches(len(self), batch_size, rng, lengths)

    def extent(self, rows: Ids) -> tuple[Ids, Ids]:
        """Where the last text of these rows begins, and its length."""
        return self.part(-1).extent(rows)

    def cut(self, num_tokens: int) -> Self:
        """The rows, each of their texts at most num_tokens long."""
        lengths = np.minimum(self.lengths, num_tokens)
        return dataclasses.replace(self, lengths=lengths, num_tokens=num_tokens)

    def places(self) -> dict[str, npt.NDArray[Any]]:
        """Starts and lengths of each part, and the numbers."""
        places: dict[str, npt.NDArray[Any]] = {}
        for number, (starts, lengths) in enumerate(zip(self.starts, self.lengths, strict=True)):
            places |= {f"{_STARTS}{number}": starts, f"{_LENGTHS}{number}": lengths}
        return places | {f"{_NUMBERS}{name}": array for name, array in self.numbers.items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], tokenizer: Tokenizer) -> Self:
        """The rows, their texts as long as they are."""

        def stacked(name: str) -> npt.NDArray[Any]:
            count = sum(f"{name}{number}" in arrays for number in range(len(arrays)))
            return np.stack([arrays[f"{name}{number}"] for number in range(count)])

        names = {name: name.removeprefix(_NUMBERS) for name in arrays if name.startswith(_NUMBERS)}
        numbers = {short: arrays[name] for name, short in names.items()}
        return cls(arrays["ids"], stacked(_STARTS), stacked(_LENGTHS), tokenizer, ANY, numbers)

    @property
    def measure(self) -> str:
        """Rows."""
        return f"{self.unit}s"

    @property
    def amount(self) -> int:
        """N."""
        return len(self)

    def num_cut(self, num_tokens: int) -> int:
        """Those that have a text with more tokens than fit between its begin and its end."""
        return int((self.lengths - 2 >= num_tokens).any(axis=0).sum())


class Pairs(Tuples):
    """A source and its target in each row."""

    unit = "pair"

    def texts(self) -> list[tuple[str, str]]:
        """The source and the target of each row."""
        return list(zip(self.part(0).texts(), self.part(1).texts(), strict=True))


class Preferences(Tuples):
    """In each row a prompt with the answer that was chosen, and the same with the rejected one.

    numbers["prompt"]: (N,) how many tokens stand before the answer: those of `encode_prompt`
    """

    unit = "preference"

    def cut(self, num_tokens: int) -> Self:
        """The rows, each of their texts at most num_tokens long; without those `num_lost` counts.

        Raises InputError if none is left.
        """
        kept = np.flatnonzero(~self._alike(num_tokens))
        if not len(kept):
            raise InputError(
                f"no preference has answers that differ among the first {num_tokens - 1} tokens, "
                "which are all that the model reads"
            )
        return super().cut(num_tokens).select(kept)

    def num_lost(self, num_tokens: int) -> int:
        """Those whose answers differ only behind what fits: nothing can be learned from them."""
        return int(self._alike(num_tokens).sum())

    def _alike(self, num_tokens: int) -> npt.NDArray[np.bool_]:
        """Of which rows both texts begin with the same num_tokens tokens.    (N,)"""
        alike: npt.NDArray[np.bool_] = np.all(self.lengths >= num_tokens, axis=0)
        for row in np.flatnonzero(alike):
            one, other = (self.ids[start : start + num_tokens] for start in self.starts[:, row])
            alike[row] = np.array_equal(one, other)
        return alike

    def both(self, rows: Ids) -> Batch:
        """The texts with the chosen answers, then those with the rejected ones.    (2 B, t)

        The tokens of the answers count, with their ends; those of the prompts and pads do not.
        """
        parts = self.parts(rows)
        width = max(part.ids.shape[1] for part in parts)
        ids = np.full((len(parts), len(rows), width), self.tokenizer.pad, np.int64)
        counted = np.zeros(ids.shape, bool)
        for number, part in enumerate(parts):
            ids[number, :, : part.ids.shape[1]] = part.ids
            counted[number, :, : part.ids.shape[1]] = part.counted
        counted &= np.arange(width) >= self.numbers["prompt"][rows, None]
        return Batch(ids.reshape(-1, width), counted.reshape(-1, width))

    def prompts(self, rows: Ids) -> list[Ids]:
        """The ids of these rows' prompts."""
        starts, lengths = self.part(0).extent(rows)
        ends = starts + np.minimum(self.numbers["prompt"][rows], lengths)
        return [self.ids[a:b].astype(np.int64) for a, b in zip(starts, ends, strict=True)]
