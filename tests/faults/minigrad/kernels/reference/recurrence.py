"""Seeded faults in `minigrad/kernels/reference/recurrence.py`."""

FAULTS = [
    (
        "rnn: begins with zeros",
        "    state = h0\n    for t in range(a",
        "    state = 0 * h0\n    for t in range(a",
    ),
    ("rnn_vjp: h for h^2", "(1 - h[:, t] * h[:, t])", "(1 - h[:, t])"),
    ("rnn_vjp: the weights transposed", "later = da[:, t] @ w_hh\n", "later = da[:, t] @ w_hh.T\n"),
    (
        "gru: the reset gate before the product",
        "np.tanh(a_n + r * p_n)",
        "np.tanh(r * (a_n + p_n))",
    ),
    ("gru: z keeps the new", "(1 - z) * n + z * state", "z * n + (1 - z) * state"),
    ("gru_vjp: nothing comes back through z", "later = g * z + dp", "later = dp"),
    ("gru_vjp: the state after the token", "h[:, t - 1] if t else h0", "h[:, t]"),
]
