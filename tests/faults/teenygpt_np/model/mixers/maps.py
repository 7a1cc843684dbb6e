"""Seeded faults in `teenygpt_np/model/mixers/maps.py`."""

FAULTS = [
    (
        "weights: a position does not see itself",
        "left[:, :, t] = k[:, :, t]",
        "left[:, :, t - 1] = k[:, :, t - 1]",
    ),
]
