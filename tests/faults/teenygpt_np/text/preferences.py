"""Seeded faults in `teenygpt_np/text/preferences.py`."""

FAULTS = [
    ("preferences: two equal answers stay", "elif chosen == rejected:", "elif False:"),
    ("preferences: an empty answer stays", "(chosen and rejected)", "(chosen or rejected)"),
    (
        "preferences: one text is in two splits",
        "hashes.append((hash((prompt, chosen)),",
        "hashes.append((hash((prompt, rejected)),",
    ),
    ("preferences: answers do not end", "answer, [tokenizer.end]]", "answer]"),
    (
        "preferences: the space after a prompt is lost",
        "[prompt + gap, *answers]",
        "[prompt, *answers]",
    ),
    (
        "preferences: the space before an answer is lost",
        "gap * bool(f and text[:1].isspace()) + f",
        "f",
    ),
    ("preferences: torn apart between chunks", "in in_turn(texts, 3):", "in in_turn(texts):"),
]
