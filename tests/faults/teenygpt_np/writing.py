"""Seeded faults in `teenygpt_np/writing.py`."""

FAULTS = [
    ("interactive: half a character is shown", 'if not text.endswith("\\ufffd"):', "if True:"),
    (
        "interactive: texts differ with a seed, too",
        "np.random.default_rng(settings.seed)",
        "np.random.default_rng()",
    ),
    (
        "pair_runs: a target is drawn by default",
        "usual_temperature = 0.0",
        "usual_temperature = 0.8",
    ),
    (
        "sampling: every batch has the same random numbers",
        "[seed, start // _BATCH]",
        "[seed, 0]",
    ),
]
