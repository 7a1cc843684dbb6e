"""Seeded faults in `teenygpt_np/model/classifier.py`."""

FAULTS = [
    (
        "padding: it is in the mean",
        "np.arange(x.shape[1]) < lengths",
        "np.arange(x.shape[1]) < x.shape[1] + 0 * lengths",
    ),
    ("mean: of the whole width", "(share / lengths[:, None])", "(share / x.shape[1])"),
    ("mean: read from the left", "lengths=lengths if self.both_ways else None", "lengths=None"),
]
