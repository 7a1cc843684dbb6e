"""Seeded faults in `teenygpt_np/train.py`."""

FAULTS = [
    (
        "resume: nothing is saved when the output fails",
        "if error.filename is None:",
        "if False:",
    ),
    ("resume: links are followed", "    run_directory.check_files(out)\n", ""),
    (
        "signal: a second one waits as well",
        "signal.signal(name, signal.SIG_DFL)",
        "pass",
    ),
]
