"""Seeded faults in `minigrad/kernels/reference/linear.py`."""

FAULTS = [
    ("linear: no bias", "return x @ weight.T + bias", "return x @ weight.T"),
    (
        "linear_vjp: the weight's gradient 0.1% off",
        "return dy @ weight, dy.T @ x, dy.sum(axis=0)",
        "return dy @ weight, dy.T @ x * 1.001, dy.sum(axis=0)",
    ),
    (
        "linear_vjp: the mean over rows",
        "return dy @ weight, dy.T @ x, dy.sum(axis=0)",
        "return dy @ weight, dy.T @ x, dy.mean(axis=0)",
    ),
    (
        "linear_vjp: dx of zeros",
        "return dy @ weight, dy.T @ x, dy.sum(axis=0)",
        "return np.zeros_like(x), dy.T @ x, dy.sum(axis=0)",
    ),
]
