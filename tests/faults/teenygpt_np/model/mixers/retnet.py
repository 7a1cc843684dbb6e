"""Seeded faults in `teenygpt_np/model/mixers/retnet.py`."""

FAULTS = [
    (
        "retnet: every head has the same decay",
        "np.arange(self.num_heads)",
        "np.zeros(self.num_heads)",
    ),
    ("retnet: scores not scaled", "self.k_proj(x) * scale", "self.k_proj(x)"),
    ("retnet: the norm without eps", " + 1e-5)", ")"),
    ("retnet: turned the other way in one of two", "a * sin + b * cos", "b * cos - a * sin"),
    (
        "retnet: the first frequencies too close",
        "np.linspace(0, 1, pairs)",
        "np.arange(pairs) / pairs",
    ),
    ("parts: each part begins at position 0", "        state.position += T\n", "        pass\n"),
]
