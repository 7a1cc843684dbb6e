"""The twins of `merges.distinct` and `merges.merged` in Numba: a word at a time, in plain loops.

This file uses `minigrad.kernels.compiled`, so it needs Numba.
"""

from __future__ import annotations

import heapq

import numpy as np

from minigrad import Array
from minigrad.kernels.compiled.jit import jit, plain
from teenygpt_np.text.merges import BITS

_PLACE = (1 << 40) - 1  # the bits of a merge in the heap that say where it applies


def distinct(data: Array, starts: Array) -> tuple[Array, Array]:
    """As `merges.distinct`, with a hash table."""
    which, firsts, number = _distinct(plain(data), plain(starts))
    return which, firsts[:number]


def merged(data: Array, starts: Array, keys: Array, ids: Array) -> tuple[Array, Array]:
    """As `merges.merged`, with a heap per word of the merges that apply."""
    tokens, counts, number = _merged(plain(data), plain(starts), keys, ids)
    return tokens[:number], counts


@jit
def _distinct(data, starts):
    num_words = len(starts) - 1
    size = 1
    while size < 2 * num_words:
        size *= 2
    slots = np.full(size, -1, np.int32)
    which, firsts = np.empty(num_words, np.int64), np.empty(num_words, np.int64)
    number = 0
    for word in range(num_words):
        start, length = starts[word], starts[word + 1] - starts[word]
        code = np.uint64(14695981039346656037)  # FNV-1a
        for i in range(start, start + length):
            code = (code ^ np.uint64(data[i])) * np.uint64(1099511628211)
        slot = np.int64(code >> np.uint64(20)) & (size - 1)
        while slots[slot] >= 0:
            first = firsts[slots[slot]]
            if starts[first + 1] - starts[first] == length:
                i = 0
                while i < length and data[starts[first] + i] == data[start + i]:
                    i += 1
                if i == length:
                    break
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = number
            firsts[number] = word
            number += 1
        which[word] = slots[slot]
    return which, firsts, number


@jit
def _merge_of(first, second, keys, ids):
    """What two neighbours become; 0 if nothing, as a byte is what nothing becomes."""
    key = np.int64(first) << BITS | np.int64(second)
    low, high = 0, len(keys) - 1
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return ids[low] if keys[low] == key else np.int64(0)


@jit
def _merged(data, starts, keys, ids):
    tokens = np.empty(len(data), np.int64)
    counts = np.zeros(len(starts) - 1, np.int64)
    before, after = np.empty(len(data), np.int64), np.empty(len(data), np.int64)
    current = data.astype(np.int64)
    heap = [np.int64(0) for _ in range(0)]
    number = 0
    for word in range(len(counts)):
        start, end = starts[word], starts[word + 1]
        for i in range(start, end):
            before[i], after[i] = i - 1, i + 1
            if i + 1 < end:
                new = _merge_of(current[i], current[i + 1], keys, ids)
                if new:
                    heapq.heappush(heap, new << 40 | i)
        while len(heap):
            merge = heapq.heappop(heap)
            new, left = merge >> 40, merge & _PLACE
            right = after[left]
            # One of the two may have become part of another token since.
            if current[left] < 0 or right >= end:
                continue
            if _merge_of(current[left], current[right], keys, ids) != new:
                continue
            current[left], current[right] = new, -1
            beyond, ahead = after[right], before[left]
            after[left] = beyond
            if beyond < end:
                before[beyond] = left
                made = _merge_of(new, current[beyond], keys, ids)
                if made:
                    heapq.heappush(heap, made << 40 | left)
            if ahead >= start:
                made = _merge_of(current[ahead], new, keys, ids)
                if made:
                    heapq.heappush(heap, made << 40 | ahead)
        for i in range(start, end):
            if current[i] >= 0:
                tokens[number] = current[i]
                number += 1
                counts[word] += 1
    return tokens, counts, number
