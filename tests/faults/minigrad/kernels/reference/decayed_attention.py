"""Seeded faults in `minigrad/kernels/reference/decayed_attention.py`."""

FAULTS = [
    (
        "decayed_attention: the state before the position",
        "        state = _next(state, k, v, w, t)\n        out[:, :, t] = _product("
        "state.swapaxes(2, 3), q[:, :, t])",
        "        out[:, :, t] = _product(state.swapaxes(2, 3), q[:, :, t])\n"
        "        state = _next(state, k, v, w, t)",
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
        "            dstate += q[:, :, t, :, None] * dout[:, :, t, None]\n",
        "            dstate *= w[:, :, t, :, None]\n"
        "            dstate += q[:, :, t, :, None] * dout[:, :, t, None]\n",
    ),
    (
        "decayed_attention_vjp: dq of the state before",
        "dq[:, :, t] = _product(states.pop(), ",
        "dq[:, :, t] = _product((states.pop(), states[-1])[1], ",
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
]
