"""Seeded faults in `teenygpt_np/text/corpus.py`."""

FAULTS = [
    (
        "loop: the hash of a text is that of its tokenizer",
        "digest.update(np.ascontiguousarray(array[start : start + _CHUNK]).data)",
        "pass",
    ),
    (
        "pieces: what a piece ends in is learned as a word",
        "for text, _ in cut(pieces, kind.settled)",
        "for text in pieces if text",
    ),
]
