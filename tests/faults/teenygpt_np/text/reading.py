"""Seeded faults in `teenygpt_np/text/reading.py`."""

FAULTS = [
    ("line_ends: CR alone ends no line", "translate=True", "translate=False"),
    ("gzip: the last line before the bytes behind it is lost", "file.read1(", "file.read("),
    ("byte: a character that lacks bytes at the end is lost", "final=not data", "final=False"),
    (
        "byte: its offset is counted from the last megabyte",
        "        read += len(data)\n",
        "        read = len(data)\n",
    ),
    (
        "byte: UTF-16 is taken for that of other machines",
        "odd > even",
        "odd < even",
    ),
    ("standard_input: a terminal is waited for", "if sys.stdin.isatty():", "if False:"),
    (
        "zst: a file that was cut ends in a traceback",
        "(zstd.ZstdError, EOFError)",
        "(zstd.ZstdError,)",
    ),
    ("byte: a plain text is taken for cp1252", "if good > bad or not bad:", "if good > bad:"),
]
