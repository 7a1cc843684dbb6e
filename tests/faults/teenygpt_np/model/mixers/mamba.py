"""Seeded faults in `teenygpt_np/model/mixers/mamba.py`."""

FAULTS = [
    ("mamba: z and x exchanged", "x, z = mg.split(self.in", "z, x = mg.split(self.in"),
    (
        "mamba: no silu after the convolution",
        "mg.silu(self.conv1d(x, conv))",
        "self.conv1d(x, conv)",
    ),
    ("mamba: growth for decay", "-mg.exp(self.A_log)", "mg.exp(self.A_log)"),
    ("mamba: b_dt starts as dt itself", "dt + np.log(-np.expm1(-dt))", "dt"),
    ("part_by_part: mamba's scan begins anew", "self.D, state=h", "self.D, state=None"),
]
