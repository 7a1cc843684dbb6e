"""Seeded faults in `teenygpt_np/text/lines.py`."""

FAULTS = [
    (
        "line_ends: CR alone ends no line",
        ".splitlines(keepends=True)",
        '.replace(b"\\r", b" ").splitlines(keepends=True)',
    ),
    ("gzip: the last line before the bytes behind it is lost", "file.read1(", "file.read("),
]
