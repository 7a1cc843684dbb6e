"""Seeded faults in `minigrad/kernels/compiled/heads.py`."""

FAULTS = [
    (
        "decayed_attention: compiled, the first segment again, several heads at once",
        "first = segment % segments * length\n        places",
        "first = 0 * length\n        places",
    ),
    (
        "decayed_attention: compiled, all segments as long as the first",
        "return shortest == longest",
        "return True",
    ),
    (
        "attention: several heads at once, what four does not divide is left out",
        "for i in range(fours, width):\n                    for m in range(lanes):\n"
        "                        packed",
        "for i in range(fours, fours):\n                    for m in range(lanes):\n"
        "                        packed",
    ),
    (
        "attention: several heads at once, what four does not divide is not written",
        "for i in range(fours, width):\n                    for m in range(lanes):\n"
        "                        flat",
        "for i in range(fours, fours):\n                    for m in range(lanes):\n"
        "                        flat",
    ),
    (
        "decayed_attention: compiled, another head of the sequence",
        "min(first + length, x.shape[1]), n % heads]",
        "min(first + length, x.shape[1]), n % heads - 1]",
    ),
    (
        "decayed_attention: compiled, the first segment again",
        "first = segment % segments * length\n    return",
        "first = 0 * length\n    return",
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
