"""Seeded faults in `teenygpt_np/exporter/twin/arithmetic.py`."""

FAULTS = [
    (
        "rounded: halves to even, as NumPy rounds",
        "np.trunc(np.where(x < 0, x - _F(0.5), x + _F(0.5)))",
        "np.rint(x)",
    ),
    ("sums: in pairs, as NumPy adds", "np.add.accumulate(x, axis=-1)[..., -1]", "x.sum(axis=-1)"),
    (
        "every_bit: exp with a power of two that is computed",
        "((n.astype(np.int32) + 127) << 23).view(np.float32)",
        "np.exp(n * _F(np.log(2)))",
    ),
    (
        "quantized: by the sum",
        "x).max(axis=-1, keepdims=True)\n    is_zero",
        "x).sum(axis=-1, keepdims=True)\n    is_zero",
    ),
    ("quantized: 0/0 on a row of zeros", "is_zero = most < TINY", "is_zero = most < 0"),
    ("generator: another turn", "(-turn & 31)", "(turn & 31)"),
    ("draws: the k likeliest and one more", "order[top_k:]", "order[top_k + 1 :]"),
    ("draws: temperature forgotten", " / _F(temperature)", ""),
    (
        "gelu: the table's value below, and no line to the next",
        "(below + (place - i) * (above - below))",
        "below",
    ),
]
