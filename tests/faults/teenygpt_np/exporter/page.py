"""Seeded faults in `teenygpt_np/exporter/page.py`."""

FAULTS = [
    (
        "page: rows are not as large as they were",
        '.max(axis=1, initial=0).astype("<f4") / np.float32(127)',
        '.max(axis=1, initial=0).astype("<f4") / np.float32(128)',
    ),
    ("page: ternary weights are not rounded", "model.effective_state()", "model.state_dict()"),
    ("page: a text has no beginning", 'tokenizer.encode_prompt("").tolist()', "[]"),
    ("page: letters are not folded", '"folds": folds,', '"folds": {},'),
    ("page: unknown characters are left out", '"gap": gap,', '"gap": "",'),
    ("page: nothing is turned", '"rotary": model.positions == "rotary"', '"rotary": False'),
]
