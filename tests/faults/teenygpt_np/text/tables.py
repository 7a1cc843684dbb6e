"""Seeded faults in `teenygpt_np/text/tables.py`."""

FAULTS = [
    (
        "separators: only the usual one",
        "for s in (own, *_SEPARATORS)",
        "for s in (own,)",
    ),
    ("bad: any number of rows may be bad", "if self.count > _BAD_SHARE * rows:", "if False:"),
    (
        "separators: a guessed one may cut texts",
        "or (guessed and len(row) < len(header))",
        "",
    ),
    (
        "empty_lines: before the header they are not counted",
        "reader.line_num + begin",
        "reader.line_num + 1",
    ),
    (
        "header: the first row is lost where columns are numbers",
        "reader = itertools.chain([(begin, header)], reader)",
        "pass",
    ),
]
