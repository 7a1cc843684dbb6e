"""Seeded faults in `teenygpt_np/text/headlines.py`."""

FAULTS = [
    (
        "corpus: a repeated line stays",
        "kept[here[np.unique(hashes[here], return_index=True)[1]]] = True",
        "kept[here] = True",
    ),
    (
        "corpus: the seed is not used",
        "np.random.default_rng(seed).shuffle(distinct)",
        "np.random.default_rng(0).shuffle(distinct)",
    ),
    (
        "corpus: empty lines are rows",
        "kept = [line for line in lines if line]",
        "kept = lines",
    ),
    (
        "train: lines of any text are headlines",
        'return "line" if data else "headline"',
        'return "headline"',
    ),
]
