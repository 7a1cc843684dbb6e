"""Seeded faults in `minigrad/kernels/compiled/heads.py`."""

FAULTS = [
    (
        "decayed_attention: compiled, a head of the next sequence",
        "return x[n // heads, :, n % heads]",
        "return x[n // heads, :, n % heads - 1]",
    ),
    (
        "attention: few positions, the first heads again",
        "packed[c, i, n] = scale * one[t + c, i]",
        "packed[c, i, n] = scale * head(x, n)[t + c, i]",
    ),
]
