"""Seeded faults in `teenygpt_np/text/pairs.py`."""

FAULTS = [
    (
        "pairs: a source is in two splits",
        "groups = _numbered(hashes[0][distinct])",
        "groups = _numbered(hashes[1][distinct])",
    ),
    (
        "pairs: other splits in each process",
        "number[np.argsort(first)] = np.arange(len(first))",
        "number[:] = np.arange(len(first))",
    ),
    (
        "pairs: repeated ones stay",
        "distinct = first_of_each(hashes[1])",
        "distinct = np.arange(len(pairs))",
    ),
    ("pairs: the seed is not used", "np.random.default_rng(seed)", "np.random.default_rng(0)"),
    (
        "pairs: a text is missing, and its partner stays",
        "if None not in row and text is not None",
        "if text is not None",
    ),
    ("pairs: an empty text stays", "if all(pair)]", "if any(pair)]"),
    ("pairs: a line with two tabs is taken", "if len(pair) != 2:", "if len(pair) < 2:"),
    ("pairs: torn apart between chunks", "in in_turn(texts, 2):", "in in_turn(texts):"),
]
