"""Seeded faults in `teenygpt_np/model/mixers/s4.py`."""

FAULTS = [
    ("s4: one of each pair of conjugates", "2 * mg.matmul(left", "mg.matmul(left"),
    ("s4: the imaginary parts are added", "-w_re * a_im - w_im", "w_re * a_im + w_im"),
    ("s4: a mode's powers overlap", "size * np.arange(-(", "(size - 1) * np.arange(-("),
    ("s4: divided by the conjugate of A", "(e_re * re + e_im * im)", "(e_re * re - e_im * im)"),
    (
        "s4: weight decay on the steps",
        '("log_dt", "log_A_real", "A_imag")',
        '("log_A_real", "A_imag")',
    ),
    ("s4: the recurrence without the decay", "decay * state + x", "state + x"),
    ("s4: weights of the future are shown", "np.tril(kernel.mean", "(kernel.mean"),
]
