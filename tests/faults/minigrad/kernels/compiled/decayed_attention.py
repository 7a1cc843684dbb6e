"""Seeded faults in `minigrad/kernels/compiled/decayed_attention.py`."""

FAULTS = [
    (
        "decayed_attention: compiled, out is not set to 0",
        "            outs[:] = 0\n",
        "",
    ),
    (
        "decayed_attention: compiled, the state of other heads is left",
        "        pack(state, 0, first, last, one, s)\n",
        "",
    ),
    (
        "decayed_attention: compiled, positions after the end decay the state",
        "                for c in range(min(CHUNK, positions - t)):\n"
        "                    for j in range(columns):\n"
        "                        for n in range(_HEADS):\n"
        "                            s[i, j, n] =",
        "                for c in range(CHUNK):\n"
        "                    for j in range(columns):\n"
        "                        for n in range(_HEADS):\n"
        "                            s[i, j, n] =",
    ),
    (
        "decayed_attention_vjp: compiled, the first state is left out",
        "        pack(state, 0, first, last, one, held[0])\n",
        "        held[0] = 0\n",
    ),
    (
        "decayed_attention_vjp: compiled, R is not set to 0",
        "        r[:] = 0\n",
        "",
    ),
    (
        "decayed_attention_vjp: compiled, dv is not set to 0",
        "dqs[:], dks[:], dws[:], dvs[:] = 0, 0, 0, 0",
        "dqs[:], dks[:], dws[:] = 0, 0, 0",
    ),
    (
        "decayed_attention_vjp: compiled, R decays too early",
        "                            x = r[i, j, n] + qs[c, i, n] * douts[c, j, n]\n",
        "                            x = ws[c, i, n] * r[i, j, n] + qs[c, i, n] * douts[c, j, n]\n",
    ),
    (
        "decayed_attention_vjp: compiled, dw of the state after",
        "dws[c, i, n] += x * s[c, j, n]",
        "dws[c, i, n] += x * s[c + 1, j, n]",
    ),
    (
        "decayed_attention_vjp: compiled, dq of the state before",
        "dqs[c, i, n] += x * douts[c, j, n]",
        "dqs[c, i, n] += s[c, j, n] * douts[c, j, n]",
    ),
    (
        "decayed_attention_vjp: compiled, a state held too late",
        "                    for c in range(CHUNK):\n"
        "                        for n in range(_HEADS):\n"
        "                            after",
        "                    for c in range(CHUNK - 1):\n"
        "                        for n in range(_HEADS):\n"
        "                            after",
    ),
]
