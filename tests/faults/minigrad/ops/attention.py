"""Seeded faults in `minigrad/ops/attention.py`."""

FAULTS = [
    (
        "causal_attention: q and k swapped on the way back",
        "attention_vjp(dout, q, k, v, out, lse, None, True)",
        "attention_vjp(dout, k, q, v, out, lse, None, True)",
    ),
    (
        "causal_attention: dq and dv swapped",
        "attention_vjp(dout, q, k, v, out, lse, None, True)",
        "attention_vjp(dout, q, k, v, out, lse, None, True)[::-1]",
    ),
    (
        "attention: all keys are seen on the way back",
        "lse, lengths, causal)",
        "lse, None, causal)",
    ),
    (
        "attention: a length may be past the last key",
        "(lengths > keys)",
        "(lengths > keys + 1)",
    ),
    (
        "attention: lengths are not copied",
        "return lengths.astype(np.int64)",
        "return lengths.astype(np.int64, copy=False)",
    ),
    (
        "attention: never causal",
        "    causal = bool(causal)\n",
        "    causal = False\n",
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
        "decayed_attention_vjp(dout, q, k, v, w, u, first)",
        "decayed_attention_vjp(dout, q, k, v, w, u, 0 * first)",
    ),
    (
        "decayed_attention: u is forgotten",
        "kernels.decayed_attention(q, k, v, w, u, first)",
        "kernels.decayed_attention(q, k, v, w, None, first)",
    ),
    (
        "decayed_attention: u gets no gradient",
        "return dq, dk, dv, lambda: w * dw, du",
        "return dq, dk, dv, lambda: w * dw, None",
    ),
    (
        "rotary: turned on instead of back",
        "return turned(dy, turn.conj()), None",
        "return turned(dy, turn), None",
    ),
    (
        "rotary: float64 is rounded to float32",
        "points = np.result_type(x.dtype, np.complex64)",
        "points = np.complex64",
    ),
]
