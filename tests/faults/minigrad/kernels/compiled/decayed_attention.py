"""Seeded faults in `minigrad/kernels/compiled/decayed_attention.py`."""

FAULTS = [
    (
        "decayed_attention: compiled, out is not set to 0",
        "            outs[:] = 0\n",
        "",
    ),
    (
        "decayed_attention: compiled, the state of other heads is left",
        "        pack(states, width, 0, first, last, one, zero, s)\n",
        "",
    ),
    (
        "decayed_attention: compiled, positions after the end decay the state",
        "one, one, ws)  # after",
        "one, zero, ws)  # after",
    ),
    (
        "decayed_attention: compiled, with u the state after is read",
        "(s[i, j, n] if u is None else before)",
        "(s[i, j, n] if u is None else s[i, j, n])",
    ),
    (
        "decayed_attention: compiled, u of another head",
        "us[i, n] = u[(first + n) % heads, i]",
        "us[i, n] = u[n % heads, i]",
    ),
    (
        "decayed_attention: compiled, the last state is that of the first segment",
        "states[count - 1 :: count]",
        "states[::count]",
    ),
    (
        "decayed_attention: compiled, segments begin without what was before them",
        "decays[:, before] * starts[:, before] + ends[:, before]",
        "ends[:, before]",
    ),
    (
        "decayed_attention: compiled, the decays of a segment begin with those before it",
        "        s[:], product[:] = 0, 1\n",
        "        s[:] = 0\n        product[:] += part == 0\n",
    ),
    (
        "decayed_attention_vjp: compiled, the first state is left out",
        "        pack(states, width, 0, first, last, one, zero, held[0])\n",
        "        held[0] = 0\n",
    ),
    (
        "decayed_attention_vjp: compiled, R of the segments after is left out",
        "        pack(ends, width, 0, first, last, one, zero, r)\n",
        "        r[:] = 0\n",
    ),
    (
        "decayed_attention_vjp: compiled, what is new in R does not decay in a segment",
        "added = q if u is not None or len(states) == len(q) else q * w",
        "added = q",
    ),
    (
        "decayed_attention_vjp: compiled, dv is not set to 0",
        "dqs[:], dks[:], dws[:], dvs[:] = 0, 0, 0, 0",
        "dqs[:], dks[:], dws[:] = 0, 0, 0",
    ),
    (
        "decayed_attention_vjp: compiled, R decays too early",
        "x = r[i, j, n] + new if u is None",
        "x = ws[c, i, n] * r[i, j, n] + new if u is None",
    ),
    (
        "decayed_attention_vjp: compiled, dw of the state after",
        "dws[c, i, n] += x * s[c, j, n]",
        "dws[c, i, n] += x * s[c + 1, j, n]",
    ),
    (
        "decayed_attention_vjp: compiled, dq of the state before",
        "(x if u is None else s[c, j, n]) * douts[c, j, n]",
        "s[c, j, n] * douts[c, j, n]",
    ),
    (
        "decayed_attention_vjp: compiled, with u what is new is left out of R",
        "(zero if u is None else new)",
        "zero",
    ),
    (
        "decayed_attention_vjp: compiled, du of the last heads again",
        "            dus[:] = 0\n",
        "",
    ),
    (
        "decayed_attention_vjp: compiled, a position's own weight without dk",
        "dks[c, i, n] += dp[n] * us[i, n] * qs[c, i, n]",
        "dks[c, i, n] += 0 * dp[n]",
    ),
    (
        "decayed_attention: compiled, the product of decays above 1 overflows",
        "if count < 2 or not w.max(initial=0) <= 1:",
        "if count < 2:",
    ),
]
