"""Seeded faults in `teenygpt_np/text/tokenizer.py`."""

FAULTS = [
    (
        "running or bytes: nothing to continue in running text",
        "text or self.start if self.running else text",
        "text",
    ),
    (
        "characters: what follows the end is decoded",
        "itertools.takewhile(self.end.__ne__, array.tolist())",
        "filter(self.end.__ne__, array.tolist())",
    ),
    (
        "part: a space at the end of running text is doubled",
        "if self.running:  # which keeps them all by itself",
        "if False:",
    ),
]
