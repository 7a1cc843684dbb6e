"""Seeded faults in `teenygpt_np/text/running.py`."""

FAULTS = [
    ("running: no end between two documents", "if is_last:", "if False:"),
]
