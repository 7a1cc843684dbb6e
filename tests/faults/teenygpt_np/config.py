"""Seeded faults in `teenygpt_np/config.py`."""

FAULTS = [
    (
        "train_refuses: more active experts than there are",
        "if self.active_experts > self.experts:",
        "if False:",
    ),
    (
        "config: a run of before goes on with a setting that came later",
        "**older | settings",
        "**settings",
    ),
    (
        "config: a batch size that is given grows",
        "if s.unless in changes}",
        "if not changes}",
    ),
]
