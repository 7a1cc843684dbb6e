"""Seeded faults in `minigrad/kernels/reference/attention.py`."""

FAULTS = [
    (
        "causal_attention: a query does not see itself",
        "np.arange(keys) > np",
        "np.arange(keys) >= np",
    ),
    (
        "causal_attention: a query sees one key too far",
        "+ keys - queries\n",
        "+ keys - queries + 1\n",
    ),
    ("causal_attention: cached keys are not seen", "[:, None] + keys - queries", "[:, None]"),
    (
        "causal_attention: scores not scaled",
        "q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]))",
        "q @ k.swapaxes(-1, -2)",
    ),
    ("causal_attention_vjp: ds not scaled", "keepdims=True)) * scale", "keepdims=True))"),
    (
        "causal_attention_vjp: the softmax's sum is missing",
        "p * (dp - (dout * out).sum(axis=-1, keepdims=True))",
        "p * dp",
    ),
    ("causal_attention_vjp: q for k", "return ds @ k, ", "return ds @ q, "),
    (
        "causal_attention_vjp: ds for p",
        "p.swapaxes(-1, -2) @ dout",
        "ds.swapaxes(-1, -2) @ dout",
    ),
]
