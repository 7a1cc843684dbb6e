"""Seeded faults in `minigrad/kernels/compiled/softmax.py`."""

FAULTS = [
    (
        "special_rows: compiled, e^60 beside an infinite logit",
        "largest[n] if total[n] < np.inf else total[n]",
        "largest[n]",
    ),
    ("softmax: compiled, a row of -inf gives nan", "if total != 0:", "if total == total:"),
    (
        "softmax: compiled, the first entry taken out for the largest",
        "if not row[c] <= largest:",
        "if largest != largest:",
    ),
    (
        "softmax_vjp: compiled, the mean is missing",
        "p[n, c] * (dp[n, c] - mean)",
        "p[n, c] * dp[n, c]",
    ),
    (
        "log_softmax: compiled, 0.1% off",
        "x[n, c] - shift - log_total",
        "x[n, c] - shift - log_total * x.dtype.type(1.001)",
    ),
    ("log_softmax_vjp: compiled, = for +=", "total += dy[n, c]", "total = dy[n, c]"),
    (
        "cross_entropy: compiled, what is ignored is counted",
        "if target[n] >= 0:",
        "if target[n] >= -1:",
    ),
    ("cross_entropy_vjp: compiled, what is ignored gets a gradient", "if t < 0:", "if t < -1:"),
    ("cross_entropy_vjp: compiled, nothing at the target", "(p - logits.dtype.type(1))", "p"),
]
