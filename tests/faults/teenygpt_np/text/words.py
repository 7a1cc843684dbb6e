"""Seeded faults in `teenygpt_np/text/words.py`."""

FAULTS = [
    (
        "words: a plain space is a word of its own",
        "& ~is_plain[:-1]",
        "",
    ),
    (
        "a_text_ends_its_words: white space knows of the next text",
        "word_follows[ends[ends > 0] - 1] = False",
        "",
    ),
    (
        "a_text_ends_its_words: words go on in the next text",
        "starts[ends[ends < len(codes)]] = True",
        "",
    ),
    (
        "words: places in characters, not in bytes",
        "if len(data) > len(codes):",
        "if len(data) < len(codes):",
    ),
    (
        "what_follows_does_not_move_a_cut: a cut behind white space",
        " & (kinds[:-1] != _SPACE))",
        ")",
    ),
]
