"""Seeded faults in `minigrad/kernels/compiled/heads.py`."""

FAULTS = [
    (
        "decayed_attention: compiled, the first segment again on the way to the lanes",
        "first = segment % segments * length\n        row",
        "first = 0 * length\n        row",
    ),
    (
        "decayed_attention: compiled, all segments as long as the first",
        "if shortest == longest and n",
        "if n",
    ),
    (
        "attention: what four does not divide is left out",
        "for i in range(fours, width):\n                for m in range(lanes):\n"
        "                    packed",
        "for i in range(fours, fours):\n                for m in range(lanes):\n"
        "                    packed",
    ),
    (
        "attention: what four does not divide is not written",
        "for i in range(fours, width):\n                for m in range(lanes):\n"
        "                    flat",
        "for i in range(fours, fours):\n                for m in range(lanes):\n"
        "                    flat",
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
        "lanes = _together(x, first + n, last, length, places)\n"
        "        fours = width // 4 * 4 if lanes >= 4 else 0\n        count",
        "lanes = _together(x, n, last, length, places)\n"
        "        fours = width // 4 * 4 if lanes >= 4 else 0\n        count",
    ),
    (
        "decayed_attention: compiled, what was there before stays after the end",
        "        for c in range(count, len(packed)):\n",
        "        for c in range(count, count):\n",
    ),
]
