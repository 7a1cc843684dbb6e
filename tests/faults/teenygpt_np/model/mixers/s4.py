"""Seeded faults in `teenygpt_np/model/mixers/s4.py`."""

FAULTS = [
    ("s4: one of each pair of conjugates", "return 2 * mg.sum(mg.exp", "return mg.sum(mg.exp"),
    ("s4: divided by the conjugate of A", "(e_re * re + e_im * im)", "(e_re * re - e_im * im)"),
    (
        "s4: weight decay on the steps",
        '("log_dt", "log_A_real", "A_imag")',
        '("log_A_real", "A_imag")',
    ),
    ("s4: the recurrence without the decay", "decay * state + x", "state + x"),
    ("s4: weights of the future are shown", "np.tril(kernel.mean", "(kernel.mean"),
]
