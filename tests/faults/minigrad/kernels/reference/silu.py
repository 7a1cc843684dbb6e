"""Seeded faults in `minigrad/kernels/reference/silu.py`."""

FAULTS = [
    ("silu: sigmoid for x sigmoid", "return x * sigmoid(x)", "return sigmoid(x)"),
    ("silu_vjp: the slope of s is missing", "dy * (s * (1 + x * (1 - s)))", "dy * s"),
    ("glu: the gate's half is gated", "return a * sigmoid(b)", "return b * sigmoid(a)"),
    ("glu_vjp: no slope of s", "(z / (1 + z) ** 2)", "sigmoid(b)"),
    (
        "softplus: e^x overflows",
        "np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))",
        "np.log1p(np.exp(x))",
    ),
    ("softplus_vjp: the slope of its negative", "dy * sigmoid(x)", "dy * sigmoid(-x)"),
]
