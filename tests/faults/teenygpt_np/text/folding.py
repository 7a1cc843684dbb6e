"""Seeded faults in `teenygpt_np/text/folding.py`."""

FAULTS = [
    (
        "letters_without_a_decomposition: cut words",
        "_WRITTEN.get(character, character)",
        "character",
    ),
    (
        "letters_without_a_decomposition: strokes and hooks cut words",
        "letter[1].lower() if letter else",
        "character if letter else",
    ),
]
