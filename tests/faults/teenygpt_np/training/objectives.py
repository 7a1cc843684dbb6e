"""Seeded faults in `teenygpt_np/training/objectives.py`."""

FAULTS = [
    (
        "balance: not in the loss",
        "minimized = minimized + weight * routing",
        "weight * routing",
    ),
    (
        "balance: per row, not per token",
        "_BALANCE * batch.counted[:, 1:].sum() / len(batch.ids)",
        "_BALANCE",
    ),
    ("balance: the loss that is told has it", "Loss(minimized, nll", "Loss(minimized, minimized"),
]
