"""Seeded faults in `minigrad/kernels/compiled/decode.py`."""

FAULTS = [
    ("decode: compiled, scores not scaled", "scaled = q[d] * scale", "scaled = q[d]"),
    (
        "decode: compiled, the second norm has the first one's weights",
        "_add_and_norm(x, z, norm2_w[block]",
        "_add_and_norm(x, z, norm1_w[block]",
    ),
    (
        "decode: compiled, no way past attention and MLP",
        "x[i, j] += z[i, j]",
        "x[i, j] = z[i, j]",
    ),
]
