"""Seeded faults in `teenygpt_np/training/objectives/preferences.py`."""

FAULTS = [
    ("preferences: the rejected one is liked", "softplus(-margins)", "softplus(margins)"),
    (
        "preferences: beta is not used",
        "margins = self.config.beta * (ratios[:B] - ratios[B:])",
        "margins = ratios[:B] - ratios[B:]",
    ),
    (
        "preferences: no reference",
        "answer_log_probs(model, batch.ids, batch.counted) - batch.reference",
        "answer_log_probs(model, batch.ids, batch.counted)",
    ),
    (
        "preferences: the reference of another answer",
        'split.numbers["reference"][rows].T.reshape(-1)',
        'split.numbers["reference"][rows].reshape(-1)',
    ),
    ("preferences: the loss told per batch", "loss.item() * B, B", "loss.item(), B"),
    (
        "preferences: log-probabilities per token, not per answer",
        '-model.loss(ids, counted, reduction="none").sum(axis=1)',
        '-model.loss(ids, counted, reduction="none").mean(axis=1)',
    ),
    (
        "preferences: prompts count",
        "answer_log_probs(model, *split.both(rows))",
        "answer_log_probs(model, (ids := split.both(rows)[0]), ids != split.tokenizer.pad)",
    ),
    (
        "preferences: scored with dropout",
        "with model.evaluating(), mg.no_grad():",
        "with mg.no_grad():",
    ),
    (
        "preferences: the answers' scores are exchanged",
        "chosen, rejected = -log_probs",
        "rejected, chosen = -log_probs",
    ),
]
