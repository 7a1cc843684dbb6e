"""Seeded faults in `teenygpt_np/training/warm_up.py`."""

FAULTS = [
    (
        "limit_on_memory: what long rows of wide heads need is compiled in a step",
        "if config.num_tokens * width > _TOKENS * _TOKENS:",
        "if False:",
    ),
]
