"""Seeded faults in `teenygpt_np/plain.py`."""

FAULTS = [
    (
        "plain: half a run is left on a full disk",
        '        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:\n'
        '            run = Path(folder) / "run"\n',
        "        with contextlib.nullcontext():\n            run = out\n",
    ),
    ("plain: a directory is taken that holds something", "any(out.iterdir())", "False"),
]
