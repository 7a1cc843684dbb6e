"""Seeded faults in `teenygpt_np/training/objectives/masked.py`."""

FAULTS = [
    (
        "scores: other masks each time",
        "np.random.default_rng(_SEED)\n        return",
        "np.random.default_rng()\n        return",
    ),
    ("both_losses: alpha is left out", "minimized + alpha * filling", "minimized + filling"),
    (
        "both_losses: alpha is left out of the score",
        "scores[self.of_next] + self.config.alpha * filling",
        "scores[self.of_next] + filling",
    ),
    (
        "the_loss: the sum of the rows, not their mean",
        "balanced(model, nll / len(batch.ids), batch.masked)",
        "balanced(model, nll, batch.masked)",
    ),
]
