"""Seeded faults in `teenygpt_np/text/characters.py`."""

FAULTS = [
    (
        "lengths: the end mark is left out",
        "np.minimum(lengths + 2, num_tokens)",
        "np.minimum(lengths + 1, num_tokens)",
    ),
]
