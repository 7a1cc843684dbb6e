"""Seeded faults in `teenygpt_np/model/mixers/rwkv.py`."""

FAULTS = [
    (
        "rwkv: the inputs of two projections swapped",
        "x_w, x_k, x_v, x_r, x_g = self._shifted",
        "x_w, x_v, x_k, x_r, x_g = self._shifted",
    ),
    ("rwkv: one exponential less", "g = -mg.exp(mg.linear(", "g = -(mg.linear("),
    (
        "rwkv: a token's own value has no bonus",
        "*heads, self.time_faaaa, state",
        "*heads, 0 * self.time_faaaa, state",
    ),
    (
        "parts: the token before the part is forgotten",
        "        state.last = x.data[:, -1:].copy()\n",
        "        pass\n",
    ),
    (
        "rwkv: its vectors take weight decay",
        '        *("time_decay", "time_decay_w1", "time_decay_w2", "time_faaaa"),\n',
        "",
    ),
]
