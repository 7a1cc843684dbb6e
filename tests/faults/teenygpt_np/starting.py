"""Seeded faults in `teenygpt_np/starting.py`."""

FAULTS = [
    (
        "standard_input: a folder that was there before is removed",
        "made = made if args.out else [directory, *made]",
        "made = [directory, *made]",
    ),
    (
        "standard_input: a file of the user's is lost",
        "if args.out and (out / run_directory.TEXT).exists():",
        "if False:",
    ),
    (
        "tokenizer: the one of a file is not used",
        "return trainer_of(config, args.quiet, directory.parent, tokenizer), directory",
        "return trainer_of(config, args.quiet, directory.parent), directory",
    ),
]
