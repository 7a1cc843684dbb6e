"""Seeded faults in `teenygpt_np/scores.py`."""

FAULTS = [
    (
        "running_text: bits per byte are nats",
        'totals["nll_no_pad"] / sizes[1] / math.log(2)',
        'totals["nll_no_pad"] / sizes[1]',
    ),
]
