"""Seeded faults in `teenygpt_np/exporter/twin/attention.py`."""

FAULTS = [
    (
        "every_bit: keys and values in half precision are not rounded",
        "np.float16 if sizes.cache",
        "np.float32 if sizes.cache",
    ),
    ("every_bit: values' weights in 127 steps", "levels(self.sizes))", "127)"),
]
