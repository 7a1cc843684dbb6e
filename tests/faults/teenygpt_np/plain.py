"""Seeded faults in `teenygpt_np/plain.py`."""

FAULTS = [
    (
        "plain: half a run is left on a full disk",
        'run = Path(folder) / "run"',
        "run = out",
    ),
    ("plain: a directory is taken that holds something", "any(out.iterdir())", "False"),
]
