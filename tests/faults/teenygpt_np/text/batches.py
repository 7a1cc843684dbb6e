"""Seeded faults in `teenygpt_np/text/batches.py`."""

FAULTS = [
    (
        "batch: a small text is one batch",
        "len(lengths) // _LEAST_BATCHES)",
        "len(lengths))",
    ),
    (
        "batch: fewer than batch_size where lines are long",
        "return max(batch_size, wanted)",
        "return max(1, wanted)",
    ),
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
