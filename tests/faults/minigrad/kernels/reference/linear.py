"""Seeded faults in `minigrad/kernels/reference/linear.py`."""

FAULTS = [
    ("linear: no bias", "return x @ weight.T + bias", "return x @ weight.T"),
    (
        "linear_vjp: the weight's gradient 0.1% off",
        "dweight = dy.T @ x if",
        "dweight = dy.T @ x * 1.001 if",
    ),
    (
        "linear_vjp: the mean over rows",
        "dweight, dy.sum(axis=0)",
        "dweight, dy.mean(axis=0)",
    ),
    (
        "linear_vjp: dx of zeros",
        "dx = dy @ weight if",
        "dx = np.zeros_like(x) if",
    ),
    ("frozen: linear_vjp's dweight all the same", "dy.T @ x if for_weight else None", "dy.T @ x"),
]
