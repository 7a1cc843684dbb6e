"""Seeded faults in `teenygpt_np/training/signals.py`."""

FAULTS = [
    (
        "signal: a second one waits as well",
        "        for name in heeded:\n            signal.signal(name, signal.SIG_DFL)\n",
        "        pass\n",
    ),
]
