"""Seeded faults in `teenygpt_np/text/corpus.py`."""

FAULTS = [
    (
        "saved: ids of another tokenizer are used",
        "if given in (None, corpus.tokenizer):",
        "if True:",
    ),
    (
        "loop: the hash of a text is that of its tokenizer",
        "digest.update(np.ascontiguousarray(array[start : start + _CHUNK]).data)",
        "pass",
    ),
]
