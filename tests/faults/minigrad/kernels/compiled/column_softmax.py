"""Seeded faults in `minigrad/kernels/compiled/column_softmax.py`."""

FAULTS = [
    (
        "attention: compiled, the largest of the last key",
        "largest[j] = max(largest[j], s[i, j])",
        "largest[j] = s[i, j]",
    ),
    (
        "attention: compiled, the largest of three keys in four",
        "max(s[i + 2, j], s[i + 3, j])",
        "s[i + 2, j]",
    ),
    (
        "attention_vjp: compiled, dp for ds",
        "        ds[i] *= p[i]\n",
        "",
    ),
    ("attention_vjp: compiled, 2^x for e^x", "exp2(log2_e * p[i])", "exp2(p[i])"),
    (
        "attention_vjp: compiled, the last number is left out",
        "range(len(x))",
        "range(len(x) - 1)",
    ),
]
