"""Seeded faults in `teenygpt_np/text/characters.py`."""

FAULTS = [
    (
        "text: a line end inside a line divides it",
        'if joined.count("\\n") >= len(lines):',
        "if False:",
    ),
    (
        "text: a line keeps a space at its end",
        '.replace(" \\n", "\\n")',
        "",
    ),
    (
        "text: lines that are changed are not counted",
        "sum(map(operator.ne, texts, lines))",
        "int(texts != lines)",
    ),
    (
        "text: the end of a line stands for nothing",
        "lengths = [1, *(len(c",
        "lengths = [0, *(len(c",
    ),
]
