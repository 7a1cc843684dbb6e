"""How far one text is from another."""

from __future__ import annotations

import numpy as np


def edits(a: str, b: str) -> int:
    """The fewest characters to put in, take out or exchange that make b of a.

    d[i, j], of the first i characters of a and j of b, is the least of d[i-1, j] + 1, d[i, j-1] + 1
    and d[i-1, j-1] + (a[i] != b[j]). Row i is computed at once: what comes from the left is a
    running minimum of d[i, j] - j.

    Source: Levenshtein, Binary codes capable of correcting deletions, insertions and reversals,
    Soviet Physics Doklady 10, 1966.
    """
    codes = np.array([ord(character) for character in b], np.int64)
    steps = np.arange(len(b) + 1)
    row = steps
    for i, character in enumerate(a, 1):
        best = np.minimum(row[:-1] + (codes != ord(character)), row[1:] + 1)
        row = np.minimum.accumulate(np.concatenate([[i], best]) - steps) + steps
    return int(row[-1])
