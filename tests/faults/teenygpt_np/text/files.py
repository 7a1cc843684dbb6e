"""Seeded faults in `teenygpt_np/text/files.py`."""

FAULTS = [
    (
        "separators: only the usual one",
        "for s in (own, *_SEPARATORS) if s in first), own)",
        "for s in (own,)), own)",
    ),
    ("bad: any number of rows may be bad", "if self.count > _BAD_SHARE * rows:", "if False:"),
    ("line_ends: CR alone ends no line", '.split("\\r"):', '.split("\\n"):'),
    (
        "header: the first row is lost where columns are numbers",
        "reader = itertools.chain([(1, header)], reader)",
        "pass",
    ),
]
