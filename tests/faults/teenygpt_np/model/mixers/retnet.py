"""Seeded faults in `teenygpt_np/model/mixers/retnet.py`."""

FAULTS = [
    (
        "retnet: every head has the same decay",
        "np.arange(self.num_heads)",
        "np.zeros(self.num_heads)",
    ),
    (
        "retnet: scores not scaled",
        "self.k_proj(x) * math.sqrt(self.num_heads / D)",
        "self.k_proj(x)",
    ),
    ("retnet: the norm without eps", " + 1e-5)", ")"),
    ("parts: each part begins at position 0", "        state.position += T\n", "        pass\n"),
]
