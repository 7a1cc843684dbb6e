"""Seeded faults in `teenygpt_np/model/module.py`."""

FAULTS = [
    ("evaluating: the mode is not put back", "self.train(was_training)", "pass"),
    ("shapes_only: memory is taken", "if _shapes_only.get():", "if False:"),
    (
        "twice: a parameter has every name that leads to it",
        "elif id(value) not in seen:",
        "else:",
    ),
    (
        "restored or again: other weights stay",
        "for (module, attribute), weight in zip(places, own, strict=True):",
        "for (module, attribute), weight in zip(places, weights, strict=True):",
    ),
]
