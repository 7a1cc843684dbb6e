"""Seeded faults in `teenygpt_np/text/corpus.py`."""

FAULTS = [
    (
        "loop: the hash of a text is that of its tokenizer",
        "digest.update(np.ascontiguousarray(array[start : start + _CHUNK]).data)",
        "pass",
    ),
]
