"""Seeded faults in `minigrad/kernels/reference/attention.py`."""

FAULTS = [
    (
        "attention: a query does not see itself",
        "np.arange(keys) > np",
        "np.arange(keys) >= np",
    ),
    (
        "attention: a query sees one key too far",
        "+ keys - queries\n",
        "+ keys - queries + 1\n",
    ),
    ("attention: cached keys are not seen", "[:, None] + keys - queries", "[:, None]"),
    (
        "attention: scores not scaled",
        "q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]))",
        "q @ k.swapaxes(-1, -2)",
    ),
    ("attention_vjp: ds not scaled", "keepdims=True)) * scale", "keepdims=True))"),
    (
        "attention_vjp: the softmax's sum is missing",
        "p * (dp - (dout * out).sum(axis=-1, keepdims=True))",
        "p * dp",
    ),
    ("attention_vjp: q for k", "return ds @ k, ", "return ds @ q, "),
    (
        "attention_vjp: ds for p",
        "p.swapaxes(-1, -2) @ dout",
        "ds.swapaxes(-1, -2) @ dout",
    ),
    ("attention: causal is ignored", "    if causal:\n", "    if False:\n"),
    ("attention: one key too many is seen", "np.arange(keys) >= len", "np.arange(keys) > len"),
    (
        "attention: what stands in the padding is multiplied by 0",
        "    return np.where((np.arange(x.shape[2]) < lengths[:, None])[:, None, :, None], x, 0)",
        "    return x",
    ),
]
