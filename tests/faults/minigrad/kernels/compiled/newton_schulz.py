"""Seeded faults in `minigrad/kernels/compiled/newton_schulz.py`."""

FAULTS = [
    (
        "newton_schulz: compiled, the fifth power forgotten",
        "set_product(factor, factor, scaled, square)",
        "pass",
    ),
    (
        "newton_schulz: compiled, one thread's steps counted twice",
        "range(steps)",
        "range(steps + part)",
    ),
]
