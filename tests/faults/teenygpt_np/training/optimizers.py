"""Seeded faults in `teenygpt_np/training/optimizers.py`."""

FAULTS = [
    (
        "decay: it reaches what a module keeps from it",
        '"adamw-no-decay" if name in without_decay else "adamw"',
        '"adamw"',
    ),
    (
        "frozen: a parameter without gradient gets an optimizer",
        "if parameter.requires_grad:",
        "if True:",
    ),
]
