"""Seeded faults in `teenygpt_np/sampling.py`."""

FAULTS = [
    ("sampling: a row goes on after its end", "            chosen[ended] = end\n", ""),
    (
        "sampling: a token is read twice",
        "new = chosen[:, None]",
        "new = chosen[:, None].repeat(2, 1)",
    ),
]
