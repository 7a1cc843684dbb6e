"""Seeded faults in `minigrad/kernels/compiled/recurrence.py`."""

FAULTS = [
    ("rnn: compiled, every sequence begins as the first", "_tanh(a[i, t, j]", "_tanh(a[0, t, j]"),
    ("rnn_vjp: compiled, h for h^2", "h[i, t, j] * h[i, t, j]", "h[i, t, j]"),
    ("gru: compiled, the reset gate is left out", "a_n[j] + r * p_n[j]", "a_n[j] + p_n[j]"),
    (
        "gru: compiled, always the first state",
        "        state = h[:, t]\n\n\ndef gru_vjp",
        "\n\ndef gru_vjp",
    ),
    ("gru_vjp: compiled, nothing comes back through z", "later[i, j] = g * z", "later[i, j] = 0"),
    ("gru_vjp: compiled, the state after the token", "h[:, t - 1] if t", "h[:, t] if t"),
]
