"""Seeded faults in `teenygpt_np/text/bytes.py`."""

FAULTS = [
    (
        "sizes_add_up: every byte counts as a character",
        "byte & 0xC0 != 0x80 for byte",
        "byte < 256 for byte",
    ),
    (
        "a_text_of_any_bytes: a byte that is no UTF-8 is replaced",
        'and not "\\udc80" <= character <= "\\udcff"',
        "",
    ),
]
