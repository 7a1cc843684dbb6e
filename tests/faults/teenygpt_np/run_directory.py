"""Seeded faults in `teenygpt_np/run_directory.py`."""

FAULTS = [
    (
        "resume: what is left of a run is overwritten",
        "in (METRICS, BEST, LAST, TEST, REPORT)",
        "in (METRICS,)",
    ),
    (
        "checkpoint: a model may be larger than the weights that came",
        "    check_arrays(weights, parameters, path)\n",
        "",
    ),
    ("format: a newer one is read", "if found not in range(1, FORMAT + 1):", "if False:"),
    (
        "format: the first one is not read any more",
        'tokenizer = {"kind": "characters", "characters": description["characters"]}',
        'tokenizer = description["tokenizer"]',
    ),
    (
        "standard_input: the lock's file stays, and with it the directory",
        "for name in (TEXT, LOCK):",
        "for name in (TEXT,):",
    ),
    (
        "finetune: a new mask's row is drawn, and is in no file where it is frozen",
        "given.mean(axis=0, keepdims=True)",
        "array[-1:]",
    ),
    (
        "finetune: what a base lacks is drawn, whatever it is",
        'elif not path.startswith(("head.", "lora.")):',
        "elif False:",
    ),
    (
        "plain: a run may be written over",
        "if (run / CONFIG).exists() and (run != out.parent or out.name in _OWN):",
        "if False:",
    ),
    ("plain: a base is looked for where it was alone", "folder / Path(config.base).name", "Path()"),
    (
        "plain: a run may be its own base",
        "if there is None or there.resolve() in seen:",
        "if there is None:",
    ),
]
