"""Seeded faults in `teenygpt_np/model/building.py`."""

FAULTS = [
    (
        "too_much: any number of parameters may be built",
        "if wanted > MOST_PARAMETERS:",
        "if False:",
    ),
    ("pair_runs: any mixer is taken", "if value != only[name]:", "if False:"),
]
