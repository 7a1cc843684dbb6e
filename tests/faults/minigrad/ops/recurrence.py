"""Seeded faults in `minigrad/ops/recurrence.py`."""

FAULTS = [
    (
        "rnn: the gradient of w_hh with the state after the token",
        "[h0[:, np.newaxis], h[:, :-1]]",
        "[h[:, :1], h[:, 1:]]",
    ),
    ("rnn: the bias of the state's product has no gradient", "db_ih, db_ih", "db_ih, 0 * db_ih"),
    ("gru: da for dp in the gradient of b_hh", "dp.sum(axis=(0, 1))", "da.sum(axis=(0, 1))"),
    ("gru: da for dp in the gradient of w_hh", "_dw_hh(dp, h0, h), db", "_dw_hh(da, h0, h), db"),
]
