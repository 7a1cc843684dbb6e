"""Seeded faults in `minigrad/ops/rows.py`."""

FAULTS = [
    ("ops_errors: an id too large is let through", "ids >= count", "ids > count"),
    (
        "ops_errors: a negative id is let through",
        "(ids < 0) | (ids >= count)",
        "(ids >= count)",
    ),
]
