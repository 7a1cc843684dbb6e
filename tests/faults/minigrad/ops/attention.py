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
    (
        "decayed_attention: w missing in dg",
        "lambda: w * dw",
        "lambda: dw",
    ),
    (
        "decayed_attention: the state is not returned",
        "        state[...] = last\n",
        "        pass\n",
    ),
    (
        "decayed_attention: the first state is left out on the way back",
        "decayed_attention_vjp(dout, q, k, v, w, first)",
        "decayed_attention_vjp(dout, q, k, v, w, 0 * first)",
    ),
]
