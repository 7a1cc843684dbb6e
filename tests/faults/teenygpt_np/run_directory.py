"""Seeded faults in `teenygpt_np/run_directory.py`."""

FAULTS = [
    (
        "resume: the lock is not taken",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
    ),
    (
        "resume: what is left of a run is overwritten",
        "in (METRICS, BEST, LAST, TEST, REPORT)",
        "in (METRICS,)",
    ),
    (
        "trainer: a model may be larger than the weights that came",
        "if embeddings + blocks > came or config.num_blocks > len(arrays):",
        "if False:",
    ),
]
