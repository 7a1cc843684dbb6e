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
]
