"""Seeded faults in `teenygpt_np/model/layers.py`."""

FAULTS = [
    ("dropout: in evaluation too", "training=self.training", "training=True"),
    ("glu: the halves exchanged", "a * mg.sigmoid(b)", "b * mg.sigmoid(a)"),
    ("rwkv: mean and variance over all groups", "self.groups, -1)", "1, -1)"),
]
