"""Seeded faults in `teenygpt_np/text/batches.py`."""

FAULTS = [
    (
        "batch: the end mark does not count",
        "(places < self.lengths[rows, None])",
        "(places < self.lengths[rows, None] - 1)",
    ),
    (
        "batch: rows are cut too early",
        "longest = self.lengths[rows].max()",
        "longest = self.lengths[rows].max() - 1",
    ),
]
