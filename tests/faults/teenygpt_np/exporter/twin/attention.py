"""Seeded faults in `teenygpt_np/exporter/twin/attention.py`."""

FAULTS = [
    (
        "every_bit: keys and values in half precision are not rounded",
        "np.float16 if sizes.cache",
        "np.float32 if sizes.cache",
    ),
    ("every_bit: values' weights in 127 steps", "levels(self.sizes))", "127)"),
    (
        "every_bit or twin: q and k are turned the other way",
        "[a * cos - b * sin, a * sin + b * cos]",
        "[a * cos + b * sin, b * cos - a * sin]",
    ),
    (
        "every_bit or twin: only q is turned",
        "q, k = self._turned(q, position), self._turned(k, position)",
        "q = self._turned(q, position)",
    ),
    (
        "every_bit or twin: halves of a head are turned, not neighbours",
        "self._heads(x)[..., ::2], self._heads(x)[..., 1::2]",
        "np.split(self._heads(x), 2, axis=-1)",
    ),
    ("other_sizes: C does not turn", '{"ROTARY": "1"} if sizes.rotary else {}', "{}"),
]
