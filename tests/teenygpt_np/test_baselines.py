"""The baselines against the same sums written as loops."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import rows_of

from teenygpt_np.baselines import baselines
from teenygpt_np.text.batches import Rows as Encoded
from teenygpt_np.text.characters import CharacterTokenizer

V, T = 5, 6
Rows = list[list[int]]
ROWS = st.lists(
    st.lists(st.integers(0, V - 1), min_size=1, max_size=T).map(
        lambda row: [*row[:1], *itertools.takewhile(bool, row[1:]), *[0] * T][:T]
    ),
    min_size=1,
    max_size=6,
)


def targets(row: list[int], pads_count: bool) -> list[tuple[int, int]]:
    """(token before, token) of each counted prediction."""
    pairs = list(itertools.pairwise(row))
    if pads_count or 0 not in row[1:]:
        return pairs
    return pairs[: row[1:].index(0) + 1]


def by_loops(train: Rows, rows: Rows, name: str, pads_count: bool) -> tuple[float, float]:
    """(nll, top1), one prediction at a time."""
    fitted = [pair for row in train for pair in targets(row, pads_count)]
    if name == "uniform":
        fitted = []
    if name == "unigram":
        fitted = [(a, b) for _, b in fitted for a in range(V)]
    n = Counter(fitted)
    nll = top1 = 0.0
    for row in rows:
        pairs = targets(row, pads_count)
        hits = 0.0
        for a, b in pairs:
            seen = [n[a, other] for other in range(V)]
            nll -= math.log((n[a, b] + 1) / (sum(seen) + V))
            hits += (n[a, b] == max(seen)) / seen.count(max(seen))
        top1 += hits / len(pairs)
    return nll / len(rows), top1 / len(rows)


@given(ROWS, ROWS)
@settings(max_examples=50, deadline=None)
def test_equal_to_loops(train: Rows, rows: Rows) -> None:
    scores = baselines(rows_of(train, V), rows_of(rows, V))
    assert list(scores) == ["uniform", "unigram", "bigram"]
    for name, score in scores.items():
        assert list(score)[:4] == ["nll", "top1", "nll_no_pad", "top1_no_pad"]
        assert (score["nll"], score["top1"]) == pytest.approx(by_loops(train, rows, name, True))
        expected = by_loops(train, rows, name, False)
        assert (score["nll_no_pad"], score["top1_no_pad"]) == pytest.approx(expected)


def test_by_hand() -> None:
    tokenizer = CharacterTokenizer("ab")
    ids = Encoded.of(["ab", "a"], tokenizer, 6)
    scores = baselines(ids, ids)
    assert scores["uniform"]["nll"] == pytest.approx(5 * math.log(4))
    assert scores["uniform"]["nll_no_pad"] == pytest.approx((3 + 2) / 2 * math.log(4))
    assert scores["uniform"]["top1"] == pytest.approx(1 / 4)
    # Always a pad: right at 3 of 5 and 4 of 5 places.
    assert scores["unigram"]["top1"] == pytest.approx((3 / 5 + 4 / 5) / 2)
    # begin -> a is always right; a -> b or pad is a draw; b -> pad is right.
    assert scores["bigram"]["top1_no_pad"] == pytest.approx((2.5 / 3 + 1.5 / 2) / 2)


def test_longer_padding_changes_nothing_where_pads_do_not_count() -> None:
    tokenizer = CharacterTokenizer()
    short, long = (Encoded.of(["one two", "three"], tokenizer, n) for n in (10, 30))
    few, many = (baselines(ids, ids) for ids in (short, long))
    for name in few:
        assert few[name]["nll_no_pad"] == pytest.approx(many[name]["nll_no_pad"])
        assert few[name]["nll"] < many[name]["nll"]
