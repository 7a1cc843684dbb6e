"""Byte-pair encoding beside its definition, which looks at everything again for each merge."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.text import merges
from teenygpt_np.text.merges import LEAST_COUNT, Pair, learned, table

WORDS = st.lists(st.binary(min_size=1, max_size=12), max_size=6)
FEW = st.lists(st.text("ab", min_size=1, max_size=14).map(str.encode), min_size=1, max_size=6)
IN_ORDER = np.arange(256)


@pytest.fixture
def kernels(backend: str) -> ModuleType:
    """`distinct` and `merged` in NumPy and, where it is installed, in Numba."""
    if backend == "numpy":
        return merges
    from teenygpt_np.text import merges_compiled

    return merges_compiled


def apply(ids: list[int], pair: Pair, new: int) -> list[int]:
    found: list[int] = []
    for i in ids:
        if found and (found[-1], i) == pair:
            found[-1] = new
        else:
            found.append(i)
    return found


def apply_all(word: bytes, pairs: list[Pair]) -> list[int]:
    """The definition: each merge in turn, in the whole word."""
    ids = list(word)
    for number, pair in enumerate(pairs):
        ids = apply(ids, pair, 256 + number)
    return ids


def learn(words: dict[bytes, int], order: list[int], number: int) -> list[Pair]:
    """The definition: count all pairs, merge the one that comes most often, and so on."""
    found: list[Pair] = []
    place = [*order, *range(256, 1000)]
    while len(found) < number:
        counts: Counter[Pair] = Counter()
        for word, times in words.items():
            for pair in pairwise(apply_all(word, found)):
                counts[pair] += times
        if not counts or max(counts.values()) < LEAST_COUNT:
            break
        ties = [pair for pair in counts if counts[pair] == max(counts.values())]
        found.append(min(ties, key=lambda pair: (place[pair[0]], place[pair[1]])))
    return found


@given(st.dictionaries(st.text("abc ", min_size=1, max_size=9), st.integers(1, 3)), st.randoms())
def test_learned_merges_are_those_of_the_definition(words: dict[str, int], random: Random) -> None:
    order = list(range(256))
    random.shuffle(order)
    counts = {word.encode(): times for word, times in words.items()}
    assert learned(counts, np.array(order), 30) == learn(counts, order, 30)


def test_ties_by_the_order_of_bytes() -> None:
    words = {b"ab": 2, b"cd": 2}
    assert learned(words, IN_ORDER, 9) == [(97, 98), (99, 100)]
    assert learned(words, IN_ORDER[::-1], 9) == [(99, 100), (97, 98)]


def test_what_comes_once_is_not_merged() -> None:
    assert learned({b"ab": 1, b"abab": 1}, IN_ORDER, 9) == [(97, 98)]
    assert learned({}, IN_ORDER, 9) == []
    assert learned({b"aaaa": 1}, IN_ORDER, 9) == [(97, 97)]


def encoded(kernels: ModuleType, words: list[bytes], pairs: list[Pair]) -> list[list[int]]:
    starts = np.cumsum([0, *map(len, words)])
    data = np.frombuffer(b"".join(words), np.uint8)
    tokens, counts = kernels.merged(data, starts, *table(pairs))
    assert (tokens.dtype, counts.dtype) == (np.int64, np.int64)
    return [part.tolist() for part in np.split(tokens, np.cumsum(counts))[:-1]]


@given(words=FEW, others=FEW)
def test_tokens_are_those_of_the_definition(
    kernels: ModuleType, words: list[bytes], others: list[bytes]
) -> None:
    pairs = learned(Counter(words + words), IN_ORDER, 12) or [(97, 97)]
    both = [*words, *others]
    assert encoded(kernels, both, pairs) == [apply_all(word, pairs) for word in both]


def test_an_earlier_merge_that_appears_late_is_next(kernels: ModuleType) -> None:
    """Not all pairs at once that are earlier than their neighbours: "cd" would be, beside "ab"."""
    pairs = [(97, 98), (256, 99), (99, 100)]  # ab, abc, cd
    assert encoded(kernels, [b"abcd", b"cd", b"bcd"], pairs) == [[257, 100], [258], [98, 258]]


def test_a_long_word(kernels: ModuleType) -> None:
    pairs = [(97, 97), (256, 256), (257, 257), (98, 256)]
    word = b"a" * 1001 + b"b" + b"a" * 3
    assert encoded(kernels, [word, b"a" * 7], pairs) == [apply_all(word, pairs), [257, 256, 97]]


def test_no_words(kernels: ModuleType) -> None:
    assert encoded(kernels, [], [(1, 2)]) == []
    nothing, starts = np.empty(0, np.uint8), np.zeros(1, np.int64)
    assert [found.tolist() for found in kernels.distinct(nothing, starts)] == [[], []]


@given(words=st.one_of(WORDS, FEW))
def test_distinct_words(kernels: ModuleType, words: list[bytes]) -> None:
    starts = np.cumsum([0, *map(len, words)])
    data = np.frombuffer(b"".join(words), np.uint8)
    which, firsts = kernels.distinct(data, starts)
    assert firsts.tolist() == sorted(words.index(word) for word in set(words))
    assert [words[first] for first in firsts[which]] == words
