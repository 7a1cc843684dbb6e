"""Seeded faults in `teenygpt_np/text/tokenizer_json.py`."""

FAULTS = [
    (
        "out_and_in: the hidden bytes are spelt from U+0101",
        "chr(256 + n)",
        "chr(257 + n)",
    ),
    (
        "files_refused: a normalizer is overlooked",
        '("normalizer", "post_processor",',
        '("post_processor",',
    ),
]
