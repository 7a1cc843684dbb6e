"""Seeded faults in `minigrad/ops/reduce.py`."""

FAULTS = [
    (
        "sum: a new axis at the end, wherever it was",
        "np.expand_dims(reduced, axis)",
        "np.expand_dims(reduced, tuple(range(reduced.ndim - len(shape), 0)))",
    ),
    (
        "sum: the gradient of the mean",
        "(np.broadcast_to(_restore(dy, shape, axis, keepdims), shape),)",
        "(np.broadcast_to(_restore(dy / _count(shape, axis), shape, axis, keepdims), shape),)",
    ),
    ("mean: not divided by n", "_restore(dy / n, shape", "_restore(dy, shape"),
    ("var: the 2 is missing", "dy * (2 * deviation /", "dy * (deviation /"),
    (
        "var: the correction forgotten on the way back",
        "2 * deviation / n",
        "2 * deviation / (n + correction)",
    ),
    (
        "max: of several that tie, each gets all",
        "dy / np.maximum(count, 1), others",
        "dy, others",
    ),
    (
        "min: zeros for a gradient",
        "return _extreme(np.min, x, axis, keepdims)",
        "return _extreme(np.min, x, axis, keepdims)[0], lambda dy: (np.zeros_like(x),)",
    ),
    ("logsumexp: not divided by the sum", "e / np.where(total == 0, 1, total)", "e"),
    ("logsumexp: a row of -inf gives nan", "e / np.where(total == 0, 1, total)", "e / total"),
    (
        "logsumexp: the largest is not taken out",
        "np.where(np.isfinite(largest), largest, 0)",
        "0 * largest",
    ),
    (
        "std: the mean is not subtracted on the way back",
        "dy * (deviation / (n",
        "dy * ((deviation + 1) / (n",
    ),
    ("std: infinite where all are equal", "n * np.where(full == 0, 1, full)", "n * full"),
    ("norm: infinite at 0", "x / np.where(y == 0, 1, y)", "x / y"),
    ("norm: squares overflow", "(largest > 0) & (largest < np.inf)", "largest < 0"),
    ("edges: nothing goes back from NaN", "np.where(np.isnan(y), y, 0)", "np.zeros_like(y)"),
    (
        "edges: beside infinity all are NaN",
        "np.where(largest == np.inf, x == np.inf, np.exp(",
        "np.where(False, x == np.inf, np.exp(",
    ),
    ("edges: a number has no axis 0", "if axis is None or not shape:  #", "if axis is None:  #"),
]
