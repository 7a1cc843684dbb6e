"""Seeded faults in `teenygpt_np/train.py`."""

FAULTS = [
    ("resume: links are followed", "    run_directory.check_files(out)\n", ""),
]
