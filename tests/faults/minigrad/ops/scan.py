"""Seeded faults in `minigrad/ops/scan.py`."""

FAULTS = [
    ("selective_scan: dA in reverse", "du, ddt, dA.T, *others\n", "du, ddt, dA.T[::-1], *others\n"),
    ("part_by_part: the scan's state is lost", "state[...] = last.swapaxes(1, 2)", "pass"),
]
