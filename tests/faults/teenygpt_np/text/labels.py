"""Seeded faults in `teenygpt_np/text/labels.py`."""

FAULTS = [
    (
        "repeated_text: it has two rows",
        "distinct = first_of_each(rows.hashes)",
        "distinct = np.arange(len(rows.hashes))",
    ),
    (
        "keeps_its_label: labels stay where they were",
        "labels = [self.labels[i] for i in which.tolist()]",
        "labels = self.labels[: len(which)]",
    ),
]
