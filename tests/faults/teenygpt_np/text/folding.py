"""Seeded faults in `teenygpt_np/text/folding.py`."""

FAULTS = [
    (
        "letters_without_a_decomposition: cut words",
        "_WRITTEN.get(character, character)",
        "character",
    ),
]
