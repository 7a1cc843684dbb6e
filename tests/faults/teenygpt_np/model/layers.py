"""Seeded faults in `teenygpt_np/model/layers.py`."""

FAULTS = [
    ("dropout: in evaluation too", "training=self.training", "training=True"),
    ("glu: the halves exchanged", "a * mg.sigmoid(b)", "b * mg.sigmoid(a)"),
]
