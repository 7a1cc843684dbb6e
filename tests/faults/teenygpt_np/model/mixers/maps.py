"""Seeded faults in `teenygpt_np/model/mixers/maps.py`."""

FAULTS = [
    (
        "weights: a position does not see itself",
        "        left[:, :, t] = k[:, :, t]\n        if u is None",
        "        left[:, :, t - 1] = k[:, :, t - 1]\n        if u is None",
    ),
    (
        "weights: with u a position sees itself without it",
        "left[:, :, t] = u * k[:, :, t]",
        "left[:, :, t] = k[:, :, t]",
    ),
]
