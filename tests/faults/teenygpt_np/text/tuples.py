"""Seeded faults in `teenygpt_np/text/tuples.py`."""

FAULTS = [
    (
        "pairs: a batch is of sources",
        "return self.part(-1).extent(rows)",
        "return self.part(0).extent(rows)",
    ),
    (
        "pairs: the parts of a row are torn apart",
        "starts.reshape(-1, parts).T",
        "starts.reshape(parts, -1)",
    ),
    ("pairs: only rows whose texts are all too long are told", ".any(axis=0)", ".all(axis=0)"),
    (
        "pairs: rows of any size share a batch",
        "lengths = None if padded else self.lengths.sum(axis=0)",
        "lengths = None",
    ),
    ("pairs: numbers of other rows", "{name: array[rows] for", "{name: array for"),
    (
        "preferences: a prompt is part of the answer",
        'self.numbers["prompt"][rows, None]',
        '0 * self.numbers["prompt"][rows, None]',
    ),
    (
        "preferences: those with nothing to learn from stay",
        "kept = np.flatnonzero(~self._alike(num_tokens))",
        "kept = self.in_order",
    ),
]
