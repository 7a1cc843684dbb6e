"""Seeded faults in `minigrad/kernels/compiled/newton_schulz.py`."""

FAULTS = [
    (
        "newton_schulz: compiled, the fifth power forgotten",
        "_set_symmetric(factor, factor, scaled, square)",
        "pass",
    ),
    (
        "newton_schulz: compiled, one thread's steps counted twice",
        "range(steps)",
        "range(steps + part)",
    ),
    (
        "newton_schulz: compiled, what is below the diagonal left as it was",
        "for j in range(i):",
        "for j in range(i, i):",
    ),
    (
        "newton_schulz: compiled, later rows begin with the first row's start",
        "start[i : i + _BLOCK, i:] if",
        "start[:_BLOCK, i:] if",
    ),
]
