"""Seeded faults in `teenygpt_np/training/objectives/pairs.py`."""

FAULTS = [
    (
        "pair_runs: the target's lengths for the source's",
        "split.part(0).extent(rows)[1]",
        "split.part(1).extent(rows)[1]",
    ),
    ("pair_runs: the loss told per batch", "nll.item() * len(batch.target)", "nll.item()"),
    (
        "pair_runs: the first pairs, not some of all",
        "return split.every(step)",
        "return split.in_order[:WRITTEN]",
    ),
    ("pair_runs: edits per text", "max(sum(map(len, wanted)), 1)", "max(len(wanted), 1)"),
    (
        "pair_runs: the target copied, not the source",
        "_compared(_texts(split, 0, rows),",
        "_compared(_texts(split, 1, rows),",
    ),
    (
        "pair_runs: scores with dropout",
        "with model.evaluating(), mg.no_grad():",
        "with mg.no_grad():",
    ),
]
