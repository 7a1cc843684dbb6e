"""Seeded faults in `minigrad/kernels/compiled/heads.py`."""

FAULTS = [
    (
        "decayed_attention: compiled, another head of the sequence",
        "min(first + length, x.shape[1]), n % heads]",
        "min(first + length, x.shape[1]), n % heads - 1]",
    ),
    (
        "decayed_attention: compiled, the first segment again",
        "first = segment % segments * length",
        "first = 0 * length",
    ),
    (
        "attention: few positions, the first heads again",
        "one = head(x, first + n, length)\n        count",
        "one = head(x, n, length)\n        count",
    ),
    (
        "decayed_attention: compiled, what was there before stays after the end",
        "        for c in range(count, len(packed)):\n",
        "        for c in range(count, count):\n",
    ),
]
