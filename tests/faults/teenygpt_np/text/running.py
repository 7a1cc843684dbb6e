"""Seeded faults in `teenygpt_np/text/running.py`."""

FAULTS = [
    ("running: no end between two documents", "if is_last:", "if False:"),
    (
        "running: what cannot be encoded yet is lost",
        "pending = pending[looked + n :]",
        'pending = ""',
    ),
    (
        "running: what has no place to be cut is looked at with each piece",
        "looked = max(len(pending) - 1, 0)",
        "looked = 0",
    ),
    (
        "running: cut where it may not be",
        "yield pending[: looked + n], False",
        "yield pending[:n], False",
    ),
]
