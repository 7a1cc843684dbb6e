"""Seeded faults in `teenygpt_np/model/layers.py`."""

FAULTS = [
    (
        "attention: q and k swapped",
        "y = mg.causal_attention(q, k, v)",
        "y = mg.causal_attention(k, q, v)",
    ),
    (
        "block: no way past the attention",
        "self.layer_norm1(x + self.msha(x))",
        "self.layer_norm1(self.msha(x))",
    ),
    ("dropout: in evaluation too", "training=self.training", "training=True"),
]
