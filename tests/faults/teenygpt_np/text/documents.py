"""Seeded faults in `teenygpt_np/text/documents.py`."""

FAULTS = [
    (
        "running: a separator at the edge of two pieces is missed",
        "settled = len(pending) - len(separator) - 2",
        "settled = len(pending)",
    ),
    (
        "running: the line end before a separator is lost",
        'yield text[not begun :] + "\\n"',
        "yield text[not begun :]",
    ),
    (
        "running: a file has no end",
        "            yield None\n        if self.sep",
        "        if self.sep",
    ),
    (
        "running: what cannot be encoded yet is lost",
        "pending = pending[looked + n :]",
        'pending = ""',
    ),
    (
        "running: what has no place to be cut is looked at with each piece",
        "looked = max(len(pending) - 1, 0)",
        "looked = 0",
    ),
    (
        "running: cut where it may not be",
        "yield pending[: looked + n], False",
        "yield pending[:n], False",
    ),
]
