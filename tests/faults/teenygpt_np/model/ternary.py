"""Seeded faults in `teenygpt_np/model/ternary.py`."""

FAULTS = [
    ("three: weights are rounded to integers", "np.clip(np.rint(w / g), -1, 1)", "np.rint(w / g)"),
    ("three: rounded down", "np.rint(w / g)", "np.floor(w / g)"),
    ("own: one scale for q, k and v", 'len(PARTS.get(name, "1"))', "1"),
    ("gradients: none comes through", "(w - w.detach())", "(w - w)"),
    ("gradients: twice the gradient", "(w - w.detach())", "2 * (w - w.detach())"),
    ("alone: all matrices are rounded", 'if f"{path}.{name}" in matrices', 'if name == "weight"'),
]
