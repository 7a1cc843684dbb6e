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
        "r * self.time_faaaa * k",
        "r * k",
    ),
    ("rwkv: a position sees itself twice", "[none, k], ", "[k, none], "),
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
    (
        "weights: a token does not see itself",
        "        weights += itself[..., None] * np.eye(itself.shape[-1], dtype=q.dtype)\n",
        "",
    ),
]
