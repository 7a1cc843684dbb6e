"""Seeded faults in `minigrad/kernels/reference/newton_schulz.py`."""

FAULTS = [
    ("newton_schulz: one step less", "range(steps)", "range(steps - 1)"),
]
