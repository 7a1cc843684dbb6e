"""Seeded faults in `teenygpt_np/training/place.py`."""

FAULTS = [
    (
        "norms: an epoch's gradients are added to those before",
        "self.epoch_loss = self.epoch_grad_norm = self.epoch_seconds = 0.0",
        "self.epoch_loss = self.epoch_seconds = 0.0",
    ),
    (
        "checkpoint: a count may be anything",
        "if not all(type(n) is int and 0 <= n <= MAX_COUNT for n in counts):",
        "if False:",
    ),
]
