"""Seeded faults in `teenygpt_np/training/norms.py`."""

FAULTS = [
    ("norms: the last array for the layer", "squares[layer] +=", "squares[layer] ="),
    ("balance: the share of the emptiest expert", "load.max()", "load.min()"),
]
