"""Seeded faults in `teenygpt_np/training/objectives/labels.py`."""

FAULTS = [
    (
        "recall: of the texts that are taken for a class",
        "of_class = right[labels == number]",
        "of_class = right[log_probs.argmax(axis=1) == number]",
    ),
    (
        "accuracy: the unlikeliest class",
        "log_probs.argmax(axis=1) == labels",
        "log_probs.argmin(axis=1) == labels",
    ),
    (
        "classify: another text's labels have numbers of their own",
        'known.with_numbers(label=own[split.numbers["label"]])',
        "known",
    ),
]
