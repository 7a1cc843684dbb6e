"""Seeded faults in `minigrad/kernels/reference/gelu.py`."""

FAULTS = [
    ("erf: 0.1% off", "_each(math.erf, x)", "_each(math.erf, x * 1.001)"),
    ("gelu: slope 1 in the normal distribution", "x * -math.sqrt(0.5)", "-x"),
    (
        "gelu: a coefficient of the tail, in its last digits",
        "    0.1198373387,",
        "    0.1198383387,",
    ),
    (
        "gelu_vjp: x p(x) without the x",
        "_normal_cdf(x) + np.clip(x, -FAR, FAR) * density",
        "_normal_cdf(x) + density",
    ),
    (
        "gelu_vjp: the cubic's 3 is missing",
        "1 + 3 * TANH_CUBIC * near",
        "1 + TANH_CUBIC * near",
    ),
    ("gelu: overflows far out", "near = np.clip(x, -20, 20)", "near = x"),
    ("edges: minus infinity times 0", "above = np.maximum(x, -FAR)", "above = x"),
]
