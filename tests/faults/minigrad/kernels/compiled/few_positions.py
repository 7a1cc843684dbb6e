"""Seeded faults in `minigrad/kernels/compiled/few_positions.py`."""

FAULTS = [
    (
        "attention: few positions, a query sees one key too far",
        "p = scores[: t + keys - queries + 1 if",
        "p = scores[: t + keys - queries + 2 if",
    ),
    (
        "attention: few positions, cached keys are not counted",
        "p = scores[: t + keys - queries + 1 if",
        "p = scores[: t + 1 if",
    ),
    (
        "attention: few positions, the sum of another head",
        "inverse = one / total[n]",
        "inverse = one / total[max(n, 1) - 1]",
    ),
    (
        "attention_vjp: few positions, = for += in dv",
        "dv[i, d, n] += p[i, n]",
        "dv[i, d, n] = p[i, n]",
    ),
    (
        "attention_vjp: few positions, dq not scaled",
        "unpack(packed_dq, queries, 0, first, last, scale, dq)",
        "unpack(packed_dq, queries, 0, first, last, one, dq)",
    ),
    (
        "attention_vjp: few positions, the softmax's sum is missing",
        "_set_scores(ds, mean,",
        "_set_scores(ds, mean * 0,",
    ),
    (
        "attention_vjp: few positions, not rounded as forward",
        "            s[i, n] += start[n]",
        "            s[i, n] += start[n] * (1 - 2 ** -20)",
    ),
    (
        "attention: few positions, the length of another sequence",
        "lengths[(first + n) // heads]",
        "lengths[n // heads]",
    ),
    (
        "attention: few positions, one key too many is seen",
        "range(ends[n], len(x))",
        "range(ends[n] + 1, len(x))",
    ),
    (
        "attention: few positions, always causal",
        "+ 1 if causal else keys]\n",
        "+ 1]\n",
    ),
    (
        "attention_vjp: few positions, always causal",
        "seen = t + keys - queries + 1 if causal else keys",
        "seen = t + keys - queries + 1",
    ),
    (
        "attention_vjp: few positions, the padding is seen",
        "            if fewest < seen:\n",
        "            if False:\n",
    ),
]
