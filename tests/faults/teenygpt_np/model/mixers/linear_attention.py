"""Seeded faults in `teenygpt_np/model/mixers/linear_attention.py`."""

FAULTS = [
    ("linear-attention: e^x everywhere", "np.minimum(x, 0)", "np.minimum(x, 9)"),
    ("linear-attention: the slope is missing", "(dy * slope,)", "(dy,)"),
    ("linear-attention: no eps in the denominator", "return y / (z + _EPS)", "return y / z"),
    (
        "weights: a row is not divided by its sum",
        "        weights /= weights.sum(axis=-1, keepdims=True) + _EPS\n",
        "",
    ),
]
