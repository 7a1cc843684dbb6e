"""Seeded faults in `minigrad/kernels/reference/adamw.py`."""

FAULTS = [
    ("adamw: no bias correction of m", "step_size = lr / (1 - b1**step)", "step_size = lr"),
    ("adamw: no bias correction of v", "np.sqrt(v) / math.sqrt(1 - b2**step)", "np.sqrt(v)"),
    (
        "adamw: eps inside of the root",
        "root = np.sqrt(v) / math.sqrt(1 - b2**step)",
        "eps, root = 0, np.sqrt(v / (1 - b2**step) + eps)",
    ),
    (
        "adamw: weight decay coupled",
        "    b1, b2 = betas\n",
        "    b1, b2 = betas\n    grad = grad + weight_decay * param\n",
    ),
    ("adamw: weight decay not scaled by lr", "1 - lr * weight_decay", "1 - weight_decay"),
    ("adamw: = for += in m", "m += (1 - b1) * grad", "m[...] = (1 - b1) * grad"),
    (
        "adamw: the gradient for its square",
        "v += (1 - b2) * grad * grad",
        "v += (1 - b2) * abs(grad)",
    ),
]
