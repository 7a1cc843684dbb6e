"""Seeded faults in `minigrad/kernels/reference/softmax.py`."""

FAULTS = [
    (
        "softmax: the largest is not taken out",
        "e = np.exp(x - np.where(largest == -np.inf, 0, largest))",
        "e = np.exp(x)",
    ),
    ("softmax: a row of -inf gives nan", "e / np.where(total == 0, 1, total)", "e / total"),
    (
        "softmax_vjp: always along the last axis",
        "np.sum(dp * p, axis=axis, keepdims=True)",
        "np.sum(dp * p, axis=-1, keepdims=True)",
    ),
    (
        "softmax_vjp: the mean is missing",
        "p * (dp - np.sum(dp * p, axis=axis, keepdims=True))",
        "p * dp",
    ),
    (
        "log_softmax: the largest is not taken out",
        "shifted = x - np.where(largest == -np.inf, 0, largest)",
        "shifted = x",
    ),
    (
        "log_softmax_vjp: dy is not summed up",
        "np.exp(y) * np.sum(dy, axis=axis, keepdims=True)",
        "np.exp(y) * dy",
    ),
    (
        "cross_entropy: what is ignored is counted",
        "np.where(target < 0, 0, loss), largest",
        "loss, largest",
    ),
    (
        "cross_entropy_vjp: what is ignored gets a gradient",
        "np.where(target[:, None] < 0, 0, dlogits * dloss[:, None])",
        "dlogits * dloss[:, None]",
    ),
    ("cross_entropy_vjp: 0.1% too little at the target", "] -= 1", "] -= 0.999"),
    ("cross_entropy_vjp: dloss forgotten", "dlogits * dloss[:, None])", "dlogits)"),
]
