"""Seeded faults in `teenygpt_np/training/objectives/masking.py`."""

FAULTS = [
    (
        "only_text: the end of a text is masked, too",
        "masked &= text",
        "masked &= batch.counted",
    ),
    (
        "only_text: the first token is not in the length",
        "batch.counted.sum(axis=1) + 1",
        "batch.counted.sum(axis=1)",
    ),
    (
        "share_and_the_spans: all that is masked is hidden",
        "HIDDEN, CHANGED = 0.8, 0.1",
        "HIDDEN, CHANGED = 1.0, 0.0",
    ),
    (
        "share_and_the_spans: the share of masked tokens is that of spans",
        "share / (1 - share) / span",
        "share / (1 - share)",
    ),
]
