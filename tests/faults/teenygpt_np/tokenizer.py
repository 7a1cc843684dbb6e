"""Seeded faults in `teenygpt_np/tokenizer.py`."""

FAULTS = [
    (
        "tokenizer: one of characters is written",
        "if not isinstance(tokenizer, BpeTokenizer):",
        "if False:",
    ),
]
