"""Seeded faults in `minigrad/kernels/reference/decayed_attention.py`."""

FAULTS = [
    (
        "decayed_attention: the state before the position",
        "read = state if u is None else before",
        "read = before",
    ),
    (
        "decayed_attention: a position decays before it is used",
        "w[:, :, t, :, None] * state + k[:, :, t, :, None] * v[:, :, t, None]",
        "w[:, :, t, :, None] * (state + k[:, :, t, :, None] * v[:, :, t, None])",
    ),
    (
        "decayed_attention_vjp: the last chunk of the states is lost",
        "        held.append(state)\n",
        "        held.append(held[0])\n",
    ),
    (
        "decayed_attention_vjp: decayed before dk and dv",
        "            if u is None:\n                dstate += added\n",
        "            dstate *= w[:, :, t, :, None]\n"
        "            if u is None:\n                dstate += added\n",
    ),
    (
        "decayed_attention_vjp: dq of the state before",
        "_product(after if u is None else states[-1], dout[:, :, t])",
        "_product(states[-1], dout[:, :, t])",
    ),
    (
        "decayed_attention_vjp: dw of the state after",
        "(dstate * states[-1])",
        "(dstate * _next(states[-1], k, v, w, t))",
    ),
    (
        "decayed_attention_vjp: R for R^T in dv",
        "_product(dstate.swapaxes(2, 3), k[:, :, t])",
        "_product(dstate, k[:, :, t])",
    ),
    (
        "decayed_attention: with u a position does not see itself",
        "(q[:, :, t] * u * k[:, :, t])",
        "(q[:, :, t] * 0 * u * k[:, :, t])",
    ),
    (
        "decayed_attention_vjp: with u the state after, in dq",
        "_product(after if u is None else states[-1], dout[:, :, t])",
        "_product(after, dout[:, :, t])",
    ),
    (
        "decayed_attention_vjp: du without q",
        "(dp * q * k).sum(axis=(0, 2))",
        "(dp * k).sum(axis=(0, 2))",
    ),
]
