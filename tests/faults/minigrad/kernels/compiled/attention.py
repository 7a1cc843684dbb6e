"""Seeded faults in `minigrad/kernels/compiled/attention.py`."""

FAULTS = [
    (
        "attention: compiled, the sum of another query",
        "inverse = one / total[j]",
        "inverse = one / total[max(j, 1) - 1]",
    ),
    (
        "attention: compiled, a query sees one key too far",
        "if columns[j] < row else",
        "if columns[j] < row - 1 else",
    ),
    (
        "attention: compiled, a query does not see itself",
        "if columns[j] < row else",
        "if columns[j] <= row else",
    ),
    (
        "attention: compiled, cached keys are not counted",
        "            s = scores[:seen]\n",
        "            position = t\n            s = scores[:seen]\n",
    ),
    (
        "attention_vjp: compiled, = for += in dv",
        "dv_seen if t < final else zeros",
        "zeros",
    ),
    (
        "attention_vjp: compiled, dk not scaled",
        "dk[b, i, h, d] *= scale",
        "dk[b, i, h, d] *= 1",
    ),
    ("attention_vjp: compiled, dq not scaled", "dq_now[j, d] *= scale", "pass"),
    (
        "attention_vjp: compiled, the softmax's sum is missing",
        "set_product(ds, mean, v[",
        "set_product(ds, zeros, v[",
    ),
    ("attention_vjp: compiled, lse is missing", "(p, shift, k[", "(p, zeros, k["),
    (
        "attention_vjp: compiled, a stale ds",
        "set_product(ds, mean, v[",
        "set_product(ds, ds, v[",
    ),
    (
        "attention_vjp: compiled, k for q",
        "ds[:, :count], q[b, now, h]",
        "ds[:, :count], k[b, now, h]",
    ),
    (
        "attention: compiled, each sequence has the first one's length",
        "min(position + now.stop - t, lengths[b]) if causal else lengths[b]",
        "min(position + now.stop - t, lengths[0]) if causal else lengths[0]",
    ),
    (
        "attention_vjp: compiled, what the padding gets is not set",
        "dk[b, i, h, d] = dv[b, i, h, d] = 0",
        "pass",
    ),
    (
        "attention: compiled, causal is ignored",
        "            if causal:\n                _mask(s[",
        "            if False:\n                _mask(s[",
    ),
    (
        "attention: compiled, always causal",
        "min(position + now.stop - t, lengths[b]) if causal else lengths[b]",
        "min(position + now.stop - t, lengths[b])",
    ),
    (
        "attention_vjp: compiled, causal is ignored",
        "            if causal:\n                _mask(p[",
        "            if False:\n                _mask(p[",
    ),
    (
        "attention_vjp: compiled, one key less than its length is seen",
        "seen = min(position + count, lengths[b]) if causal else lengths[b]",
        "seen = min(position + count, lengths[b] - 1) if causal else lengths[b] - 1",
    ),
]
