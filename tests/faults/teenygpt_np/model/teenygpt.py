"""Seeded faults in `teenygpt_np/model/teenygpt.py`."""

FAULTS = [
    ("loss: a token is to predict itself", "return x[:, 1:]", "return x[:, :-1]"),
    ("loss: the mean over tokens", "losses / len(x)", "losses / targets.size"),
    (
        "loss: pads count, the end mark does not",
        "earlier_pads = is_pad.cumsum(axis=1) - is_pad",
        "earlier_pads = is_pad.cumsum(axis=1)",
    ),
]
