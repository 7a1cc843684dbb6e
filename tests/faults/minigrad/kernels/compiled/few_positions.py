"""Seeded faults in `minigrad/kernels/compiled/few_positions.py`."""

FAULTS = [
    (
        "causal_attention: few positions, a query sees one key too far",
        "p = scores[: t + keys - queries + 1]",
        "p = scores[: t + keys - queries + 2]",
    ),
    (
        "causal_attention: few positions, cached keys are not counted",
        "p = scores[: t + keys - queries + 1]",
        "p = scores[: t + 1]",
    ),
    (
        "causal_attention: few positions, the sum of another head",
        "inverse = one / total[n]",
        "inverse = one / total[max(n, 1) - 1]",
    ),
    (
        "causal_attention_vjp: few positions, = for += in dv",
        "dv[i, d, n] += p[i, n]",
        "dv[i, d, n] = p[i, n]",
    ),
    (
        "causal_attention_vjp: few positions, dq not scaled",
        "unpack(packed_dq, 0, first, last, scale, dq)",
        "unpack(packed_dq, 0, first, last, one, dq)",
    ),
    (
        "causal_attention_vjp: few positions, the softmax's sum is missing",
        "_set_scores(ds, mean,",
        "_set_scores(ds, mean * 0,",
    ),
    (
        "causal_attention_vjp: few positions, not rounded as forward",
        "            s[i, n] += start[n]",
        "            s[i, n] += start[n] * (1 - 2 ** -20)",
    ),
]
