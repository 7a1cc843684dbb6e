"""Seeded faults in `teenygpt_np/model/block.py`."""

FAULTS = [
    (
        "block: no way past the mixer",
        "self.layer_norm1(x + self.mixer_module(x, *state, **sight))",
        "self.layer_norm1(self.mixer_module(x, *state, **sight))",
    ),
    (
        "part_by_part: the mixer's state is lost",
        "self.mixer_module(x, *state, **sight)",
        "self.mixer_module(x)",
    ),
]
