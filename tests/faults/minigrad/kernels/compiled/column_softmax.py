"""Seeded faults in `minigrad/kernels/compiled/column_softmax.py`."""

FAULTS = [
    (
        "causal_attention: compiled, the largest of the last key",
        "largest[j] = max(largest[j], s[i, j])",
        "largest[j] = s[i, j]",
    ),
    (
        "causal_attention: compiled, the largest of three keys in four",
        "max(s[i + 2, j], s[i + 3, j])",
        "s[i + 2, j]",
    ),
    (
        "causal_attention_vjp: compiled, dp for ds",
        "        ds[i] *= p[i]\n",
        "",
    ),
    ("causal_attention_vjp: compiled, 2^x for e^x", "exp2(log2_e * p[i])", "exp2(p[i])"),
    (
        "causal_attention_vjp: compiled, the last number is left out",
        "range(len(x))",
        "range(len(x) - 1)",
    ),
]
