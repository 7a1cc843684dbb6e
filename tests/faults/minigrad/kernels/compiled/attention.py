"""Seeded faults in `minigrad/kernels/compiled/attention.py`."""

FAULTS = [
    (
        "causal_attention: compiled, the sum of another query",
        "means[j, d] /= total[j]",
        "means[j, d] /= total[max(j, 1) - 1]",
    ),
    (
        "causal_attention: compiled, a query sees one key too far",
        "s[i, : i - position] = -np.inf",
        "s[i, : i - position - 1] = -np.inf",
    ),
    (
        "causal_attention: compiled, a query does not see itself",
        "s[i, : i - position] = -np.inf",
        "s[i, : i - position + 1] = -np.inf",
    ),
    (
        "causal_attention: compiled, cached keys are not counted",
        "            s = scores[: position + count]\n",
        "            position = t\n            s = scores[: position + count]\n",
    ),
    (
        "causal_attention: compiled, the largest of the last key",
        "largest[j] = max(largest[j], s[i, j])",
        "largest[j] = s[i, j]",
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
        "p[i, j] * (ds[i, j] - mean[j])",
        "p[i, j] * ds[i, j]",
    ),
    ("causal_attention_vjp: compiled, a stale ds", "(ds, zeros, v[", "(ds, ds, v["),
    (
        "causal_attention_vjp: compiled, k for q",
        "ds[:, :count], q[b, now, h]",
        "ds[:, :count], k[b, now, h]",
    ),
]
