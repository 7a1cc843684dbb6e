"""Seeded faults in `teenygpt_np/inspector/sights/labels.py`."""

FAULTS = [
    (
        "sights: a text from the left is shown both ways",
        "causal=not self.model.both_ways)",
        "causal=False)",
    ),
]
