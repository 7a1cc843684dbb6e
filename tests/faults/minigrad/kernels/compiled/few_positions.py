"""Seeded faults in `minigrad/kernels/compiled/few_positions.py`."""

FAULTS = [
    (
        "attention: few positions, a query sees one key too far",
        "range(position + r + 1, len(s))",
        "range(position + r + 2, len(s))",
    ),
    (
        "attention: few positions, cached keys are not counted",
        "min(keys, t + _QUERIES + keys - queries) if causal",
        "min(keys, t + _QUERIES) if causal",
    ),
    (
        "attention: few positions, the sum of another query",
        "means[t + r, d, n] /= total[r * lanes + n]",
        "means[t + r, d, n] /= total[n]",
    ),
    (
        "attention_vjp: few positions, = for += in dv",
        "of_dout.transpose((1, 0, 2)), True)",
        "of_dout.transpose((1, 0, 2)), False)",
    ),
    (
        "attention_vjp: few positions, dk of the heads before",
        "packed_dk[:], packed_dv[:] = 0, 0",
        "packed_dv[:] = 0",
    ),
    (
        "attention_vjp: few positions, dq not scaled",
        "unpack(packed_dq, queries, 0, first, last, scale, dq)",
        "unpack(packed_dq, queries, 0, first, last, one, dq)",
    ),
    (
        "attention_vjp: few positions, the softmax's sum is missing",
        "p[i], ds[i] = shift[block], mean[block]",
        "p[i], ds[i] = shift[block], 0",
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
        "range(s.shape[1] if causal else 0)",
        "range(s.shape[1])",
    ),
    (
        "attention: few positions, the padding is seen",
        "if ends.min() < len(s):",
        "if False:",
    ),
]
