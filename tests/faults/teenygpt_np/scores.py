"""Seeded faults in `teenygpt_np/scores.py`."""

FAULTS = [
    (
        "running_text: bits per byte are nats",
        "totals[1] / size / math.log(2)",
        "totals[1] / size",
    ),
]
