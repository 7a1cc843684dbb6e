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
    ("in_parts: mamba's scan begins anew", "self.D, state=h", "self.D, state=None"),
    (
        "mamba: of a group of channels the sum is shown",
        "weights.reshape(shape).mean(axis=1)",
        "weights.reshape(shape).sum(axis=1)",
    ),
    (
        "mamba: the step of the token that reads, in the weights that are shown",
        "k = dt * B[:, None]",
        "k = dt[:, :, ::-1] * B[:, None]",
    ),
]
