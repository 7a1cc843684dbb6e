"""Seeded faults in `minigrad/ops/attention.py`."""

FAULTS = [
    (
        "causal_attention: q and k swapped on the way back",
        "causal_attention_vjp(dout, q, k, v, out, lse)",
        "causal_attention_vjp(dout, k, q, v, out, lse)",
    ),
    (
        "causal_attention: dq and dv swapped",
        "causal_attention_vjp(dout, q, k, v, out, lse)",
        "causal_attention_vjp(dout, q, k, v, out, lse)[::-1]",
    ),
]
