"""Seeded faults in `teenygpt_np/inspector/sights/pairs.py`."""

FAULTS = [
    (
        "sights: what the source does is told of the target",
        'Sensitivity.to("source", of_source, causal=False)',
        'Sensitivity.to("source", of_target, causal=False)',
    ),
    (
        "sights: a written target goes on behind its end",
        "return ids[None, : ended[0] + 1]",
        "return ids[None]",
    ),
]
