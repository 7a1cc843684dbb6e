"""Seeded faults in `teenygpt_np/train.py`."""

FAULTS = [
    ("resume: links are followed", "    run_directory.check_files(out)\n", ""),
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
        "return _trainer(config, args.quiet, directory.parent, tokenizer), directory",
        "return _trainer(config, args.quiet, directory.parent), directory",
    ),
]
