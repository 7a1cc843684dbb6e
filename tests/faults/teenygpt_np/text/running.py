"""Seeded faults in `teenygpt_np/text/running.py`."""

FAULTS = [
    ("running: no end between two documents", "if is_last:", "if False:"),
    (
        "running: what cannot be encoded yet is lost",
        "pending = pending[n:]",
        'pending = ""',
    ),
]
