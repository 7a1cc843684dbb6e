"""Seeded faults in `teenygpt_np/model/mixers/linear_attention.py`."""

FAULTS = [
    ("linear-attention: e^x everywhere", "is_positive = x.data > 0", "is_positive = x.data > 99"),
    ("linear-attention: no eps in the denominator", "return y / (z + _EPS)", "return y / z"),
    (
        "weights: a row is not divided by its sum",
        "        weights /= weights.sum(axis=-1, keepdims=True) + _EPS\n",
        "",
    ),
]
