"""Byte-pair encoding, the algorithm: which pairs become tokens, and words made of these tokens.

`merges_compiled` has twins of `distinct` and `merged`, for where Numba is in use.

Source: Sennrich, Haddow and Birch 2016, section 3.2, arXiv:1508.07909; over bytes as GPT-2 has it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from minigrad import Array

Pair = tuple[int, int]
LEAST_COUNT = 2  # of a pair that becomes a token: what comes once is no pattern
BITS = 16  # a pair of ids as one number, which is smaller where the pair is
_NONE = np.iinfo(np.int64).max


def learned(words: Mapping[bytes, int], order: Array, number: int) -> list[Pair]:
    """Merge the most frequent pair of neighbours into a token, again and again.

    words: how often each word comes.    order: (256,), which place a byte has among the bytes
    number: how many merges are wanted; fewer are found where no pair comes twice any more

    The pair that comes most often is next; of those that come equally often the one whose first id
    is smallest, then whose second one is. Here, and only here, a byte's id is its place in `order`.

    A heap has each pair with a count that it had once. Counts only fall after a pair's first
    merge, so a count that is no longer right is put right when it comes to the top.
    """
    places = bytes(order.tolist())
    rows = [list(word.translate(places)) for word in words]
    times = list(words.values())
    counts: defaultdict[int, int] = defaultdict(int)
    where: defaultdict[int, list[int]] = defaultdict(list)  # rows that have, or had, the pair
    for row, (ids, n) in enumerate(zip(rows, times, strict=True)):
        pairs = list(map(_key, ids, ids[1:]))
        for pair in pairs:
            counts[pair] += n
        for pair in set(pairs):
            where[pair].append(row)
    heap = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < number:
        n, pair = heapq.heappop(heap)
        if -n != counts[pair]:
            heapq.heappush(heap, (-counts[pair], pair))
            continue
        if -n < LEAST_COUNT:
            break
        first, second = divmod(pair, 1 << BITS)
        new = 256 + len(merges)
        merges.append((first, second))
        found: set[int] = set()
        for row in where.pop(pair):
            for other in _merge(rows[row], first, second, new, times[row], counts):
                found.add(other)
                where[other].append(row)
        for other in found:
            heapq.heappush(heap, (-counts[other], other))
    byte_of = np.argsort(order).tolist() + list(range(256, 256 + len(merges)))
    return [(byte_of[first], byte_of[second]) for first, second in merges]


def _key(first: int, second: int) -> int:
    return first << BITS | second


def _merge(
    ids: list[int], first: int, second: int, new: int, times: int, counts: dict[int, int]
) -> set[int]:
    """Merge a pair in one word, from the left, and count its pairs anew.    -> the pairs made"""
    made: set[int] = set()
    i = 0
    while True:
        try:
            i = ids.index(first, i)
        except ValueError:  # it is not there any more
            return made
        if i + 1 < len(ids) and ids[i + 1] == second:
            if i:
                counts[_key(ids[i - 1], first)] -= times
                counts[_key(ids[i - 1], new)] += times
                made.add(_key(ids[i - 1], new))
            if i + 2 < len(ids):
                counts[_key(second, ids[i + 2])] -= times
                counts[_key(new, ids[i + 2])] += times
                made.add(_key(new, ids[i + 2]))
            ids[i : i + 2] = [new]
        i += 1


def distinct(data: Array, starts: Array) -> tuple[Array, Array]:
    """Number the different words in the order in which they first come.

    data: (n,) uint8.    starts: (W + 1,), where each word begins, and where the last one ends
    -> (W,), each word's number; and (U,), where among the words each number first comes
    """
    text = data.tobytes()
    numbers: dict[bytes, int] = {}
    which = np.array(
        [numbers.setdefault(text[a:b], len(numbers)) for a, b in pairwise(starts.tolist())],
        np.int64,
    )
    firsts = np.empty(len(numbers), np.int64)
    firsts[which[::-1]] = np.arange(len(which))[::-1]  # the last that is written stays
    return which, firsts


def merged(data: Array, starts: Array, keys: Array, ids: Array) -> tuple[Array, Array]:
    """Make each word's bytes into tokens: always the earliest merge that applies, from the left.

    data: (n,) uint8.    starts: (W + 1,), as for `distinct`.    keys: (M,), the pairs that merge,
    in the order of `table`; ids: (M,), what each becomes
    -> (m,) int64, the tokens of all words, and (W,), how many each has

    All words at once, a merge of each per round.
    """
    tokens, places = data.astype(np.int64), np.arange(len(data))
    words = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    owners, results = words, np.full(len(data), -1)
    while tokens.size:
        pairs = tokens[:-1] << BITS | tokens[1:]
        found = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
        applies = (keys[found] == pairs) & (words[:-1] == words[1:])
        merge = np.append(np.where(applies, ids[found], _NONE), _NONE)
        begins = np.flatnonzero(np.diff(words, prepend=-1))
        earliest = np.minimum.reduceat(merge, begins)
        earliest = np.repeat(earliest, np.diff(begins, append=len(words)))
        hits = (merge == earliest) & (merge != _NONE)
        # In "aaa" the pair "aa" is there twice, but only the left one becomes a token.
        index = np.arange(len(hits))
        run = np.maximum.accumulate(np.where(hits & ~np.append(False, hits[:-1]), index, 0))
        hits &= (index - run) % 2 == 0
        done = earliest == _NONE
        results[places[done]] = tokens[done]
        tokens[hits] = merge[hits]
        kept = ~done & ~np.append(False, hits[:-1])
        tokens, places, words = tokens[kept], places[kept], words[kept]
    is_token = results >= 0
    return results[is_token], np.bincount(owners[is_token], minlength=len(starts) - 1)


def table(merges: Sequence[Pair]) -> tuple[Array, Array]:
    """The merges' keys, sorted, and the id that each becomes, for `merged` to look up."""
    keys = np.array([_key(*pair) for pair in merges], np.int64)
    order = np.argsort(keys)
    return keys[order], order + 256
