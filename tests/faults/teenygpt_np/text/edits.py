"""Seeded faults in `teenygpt_np/text/edits.py`."""

FAULTS = [
    ("edits: nothing is put in", "np.minimum.accumulate(", "np.asarray("),
    ("edits: an exchange is two", "(codes != ord(character))", "2 * (codes != ord(character))"),
    ("edits: none taken out", ", row[1:] + 1)", ", row[1:] + 2)"),
]
