"""Seeded faults in `teenygpt_np/inspector/sights/masked.py`."""

FAULTS = [
    (
        "sights: what stands outside of brackets is hidden",
        "np.arange(len(pieces)) % 2 == 1",
        "np.arange(len(pieces)) % 2 == 0",
    ),
    (
        "sights: a hidden token counts in every loss",
        "one, lengths = one_each(places, T)",
        "one, lengths = self.hidden | one_each(places, T)",
    ),
]
