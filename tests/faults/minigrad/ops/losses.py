"""Seeded faults in `minigrad/ops/losses.py`."""

FAULTS = [
    ("indices: targets of 8 bits", "target.astype(np.intp)", "target.astype(np.int8)"),
    (
        "nll_loss: what is ignored gets a gradient",
        "np.where(counted, -dlosses, 0)",
        "-dlosses",
    ),
    (
        "nll_loss: what is ignored is counted",
        "losses = np.where(counted, -rows[picked], 0)",
        "losses = -rows[picked]",
    ),
    (
        "cross_entropy: the mean over what is ignored too",
        "(flat >= 0).sum()",
        "len(flat)",
    ),
    (
        "cross_entropy: ignore_index ignored",
        "ignored = target == ignore_index",
        "ignored = target == -100",
    ),
    (
        "cross_entropy: the mean's gradient is the sum's",
        "np.full(losses.shape, d * scale, losses.dtype)",
        "np.full(losses.shape, d, losses.dtype)",
    ),
    ("cross_entropy: mean for sum", 'if reduction == "mean" else 1', "if reduction else 1"),
]
