"""Seeded faults in `minigrad/kernels/compiled/adamw.py`."""

FAULTS = [
    ("adamw: compiled, no bias correction of m", "lr / (1 - b1**step)", "lr"),
    ("optim: compiled, no bias correction of v", "1 / math.sqrt(1 - b2**step)", "1.0"),
    (
        "optim: compiled, eps inside of the root",
        "np.sqrt(v[i]) * scale + eps",
        "np.sqrt(v[i] * scale * scale + eps)",
    ),
    ("optim: compiled, v not squared", "c2 * g * g", "c2 * abs(g)"),
    (
        "optim: compiled, weight decay coupled",
        "param[i] * shrink - rate * m[i] / root",
        "param[i] - rate * (m[i] + param[i] * (1 - shrink)) / root",
    ),
]
