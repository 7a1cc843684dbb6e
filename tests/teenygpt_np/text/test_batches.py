"""Rows of token ids: which rows are in a batch, and which of their tokens count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import Rows, batches, rows_per_batch
from teenygpt_np.text.characters import CharacterTokenizer


@given(st.integers(0, 50), st.integers(1, 12), st.integers(0, 9))
def test_an_epoch_has_every_row_once(num_rows: int, batch_size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = list(batches(num_rows, batch_size, rng))
    assert sorted(i for batch in first for i in batch.tolist()) == list(range(num_rows))
    assert all(len(batch) == batch_size for batch in first[:-1])
    again = list(batches(num_rows, batch_size, np.random.default_rng(seed)))
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]


def test_epochs_differ(rng: np.random.Generator) -> None:
    one, two = (np.concatenate(list(batches(50, 8, rng))).tolist() for _ in range(2))
    assert one != two


def test_batch_sizes_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="batch_size must be at least 1, got 0"):
        batches(5, 0, rng)


@pytest.mark.parametrize(
    ("number", "length", "tokens", "want"),
    [
        (20_000, 8, 1024, 128),
        (20_000, 44, 1024, 32),  # headlines
        (20_000, 8, 256, 32),
        (20_000, 8, 264, 33),
        (20_000, 8, 271, 33),
        (20_000, 8, 0, 32),
        (5_000, 8, 1024, 50),  # a hundred batches
        (60, 8, 1024, 32),
    ],
)
def test_short_rows_fill_a_batch_by_tokens(
    number: int, length: int, tokens: int, want: int
) -> None:
    lengths = np.full(number, length)
    lengths[0::2] -= 1
    lengths[1::2] += 1
    assert rows_per_batch(lengths, 32, tokens) == want


ROWS = Rows.of(["ab", "", "abcdef"], CharacterTokenizer(), 5)  # of four, two and five tokens


def test_lengths_reach_the_end_mark() -> None:
    assert ROWS.lengths.tolist() == [4, 2, 5]
    assert ROWS.ids.tolist() == [28, 1, 2, 0, 28, 0, 28, 1, 2, 3, 4, 5, 6, 0]
    assert ROWS.starts.tolist() == [0, 4, 6]
    assert len(ROWS) == 3


def test_a_batch_is_as_long_as_its_longest_row_and_counts_each_to_its_end() -> None:
    ids, counted = ROWS.batch(np.array([1, 0]))
    assert ids.tolist() == [[28, 0, 0, 0], [28, 1, 2, 0]]
    assert counted.tolist() == [[False, True, False, False], [False, True, True, True]]
    assert ROWS.batch(np.array([2])).counted.tolist() == [[False, True, True, True, True]]


def test_a_whole_batch_counts_all_but_the_first() -> None:
    ids, counted = ROWS.whole_batch(np.array([2, 1]))
    assert ids.tolist() == [[28, 1, 2, 3, 4], [28, 0, 0, 0, 0]]
    assert counted.tolist() == [[False, True, True, True, True]] * 2
