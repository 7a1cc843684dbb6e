"""Seeded faults in `teenygpt_np/model/mixers/convolution.py`."""

FAULTS = [
    ("convolution: the taps that are shown are in reverse", "2, 0)[::-1]", "2, 0)"),
    (
        "convolution: the gate's kernel is shown",
        '"weight"][: x.shape[1]]',
        '"weight"][x.shape[1] :]',
    ),
]
