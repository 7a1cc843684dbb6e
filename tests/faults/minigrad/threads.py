"""Seeded faults in `minigrad/threads.py`."""

FAULTS = [
    ("threads: the rows left over get none", "rows * i // parts", "rows // parts * i"),
]
