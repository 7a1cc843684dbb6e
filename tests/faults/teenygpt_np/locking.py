"""Seeded faults in `teenygpt_np/locking.py`."""

FAULTS = [
    ("resume: the lock is not taken", "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),
]
