"""Seeded faults in `teenygpt_np/model/layers.py`."""

FAULTS = [
    ("dropout: in evaluation too", "training=self.training", "training=True"),
    ("rwkv: mean and variance over all groups", "self.groups, -1)", "1, -1)"),
]
