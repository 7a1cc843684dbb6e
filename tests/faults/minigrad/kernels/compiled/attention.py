"""Seeded faults in `minigrad/kernels/compiled/attention.py`."""

FAULTS = [
    (
        "causal_attention: compiled, the sum of another query",
        "inverse = one / total[j]",
        "inverse = one / total[max(j, 1) - 1]",
    ),
    (
        "causal_attention: compiled, a query sees one key too far",
        "if columns[j] < row else",
        "if columns[j] < row - 1 else",
    ),
    (
        "causal_attention: compiled, a query does not see itself",
        "if columns[j] < row else",
        "if columns[j] <= row else",
    ),
    (
        "causal_attention: compiled, cached keys are not counted",
        "            s = scores[: position",
        "            position = t\n            s = scores[: position",
    ),
    (
        "causal_attention_vjp: compiled, = for += in dv",
        "dv_seen if t < final else zeros",
        "zeros",
    ),
    (
        "causal_attention_vjp: compiled, dk not scaled",
        "dk[b, i, h, d] *= scale",
        "dk[b, i, h, d] *= 1",
    ),
    ("causal_attention_vjp: compiled, dq not scaled", "dq_now[j, d] *= scale", "pass"),
    (
        "causal_attention_vjp: compiled, the softmax's sum is missing",
        "set_product(ds, mean, v[",
        "set_product(ds, zeros, v[",
    ),
    ("causal_attention_vjp: compiled, lse is missing", "(p, shift, k[", "(p, zeros, k["),
    (
        "causal_attention_vjp: compiled, a stale ds",
        "set_product(ds, mean, v[",
        "set_product(ds, ds, v[",
    ),
    (
        "causal_attention_vjp: compiled, k for q",
        "ds[:, :count], q[b, now, h]",
        "ds[:, :count], k[b, now, h]",
    ),
]
