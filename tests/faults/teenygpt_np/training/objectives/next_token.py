"""Seeded faults in `teenygpt_np/training/objectives/next_token.py`."""

FAULTS = [
    ("balance: not in the loss", "loss = loss + weight * routing.imbalance", "weight * routing"),
    (
        "balance: per row, not per token",
        "BALANCE * counted.sum() / len(counted)",
        "BALANCE",
    ),
    ("the mean of the rows told as their sum", "nll.item() * rows", "nll.item()"),
    ("a running text told per row", "if self.running else rows", "if False else rows"),
]
