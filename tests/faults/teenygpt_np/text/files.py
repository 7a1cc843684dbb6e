"""Seeded faults in `teenygpt_np/text/files.py`."""

FAULTS = [
    (
        "formats: a column of a text is not refused",
        "if self.columns and not format.columns:",
        "if False:",
    ),
    (
        "formats: a .parquet is unpacked like a text",
        "if packed and not format.packed:",
        "if False:",
    ),
]
