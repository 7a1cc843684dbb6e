"""Seeded faults in `teenygpt_np/sampling.py`."""

FAULTS = [
    ("sampling: a row goes on after its end", "            chosen[ended] = end\n", ""),
    (
        "sampling: a token is read twice",
        "new, read = ids[:, t - 1 : t], read + 1",
        "new, read = ids[:, max(t - 2, 0) : t], read + 1",
    ),
    (
        "sampling: a full reader is read from again",
        "if read < most_read:",
        "if t > start:",
    ),
]
