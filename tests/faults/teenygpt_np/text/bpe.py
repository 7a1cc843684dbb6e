"""Seeded faults in `teenygpt_np/text/bpe.py`."""

FAULTS = [
    (
        "long_words: their pieces overlap",
        "LONGEST * within",
        "(LONGEST - 1) * within",
    ),
    (
        "rare_words: the frequent ones are forgotten",
        "counts.most_common()[: len(counts) // 2]",
        "counts.most_common()[len(counts) // 2 :]",
    ),
    (
        "merges_refused: a token of any length",
        "if len(piece) > LONGEST:",
        "if len(piece) < 2:",
    ),
    (
        "lines_learn: from lines that are not tidied",
        "texts if running else map(tidy, texts)",
        "texts",
    ),
    (
        "blocks_are_encoded: only a text's last block is counted",
        "np.add.at(lengths, places, counts)",
        "lengths[places] = counts",
    ),
]
