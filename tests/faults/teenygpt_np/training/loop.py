"""Seeded faults in `teenygpt_np/training/loop.py`."""

FAULTS = [
    (
        "norms: an epoch's gradients are added to those before",
        "self.epoch_grad_norm = self.epoch_seconds = 0.0\n        self.finished",
        "self.epoch_seconds = 0.0\n        self.finished",
    ),
    (
        "norms: the first step measured instead of the last",
        "is_last = self.batches_done + 1 == len(rows)",
        "is_last = self.batches_done == 0",
    ),
    (
        "resume: nothing is saved until an epoch's end",
        "if time.monotonic() - self.saved_at > _SAVE_AFTER:",
        "if False:",
    ),
    ("trainer: gradients pile up", "self.model.zero_grad()", "pass"),
    (
        "trainer: gradients are not clipped",
        "clip_grad_norm(self.model.parameters(), config.clip_grad_norm or math.inf)",
        "clip_grad_norm(self.model.parameters(), math.inf)",
    ),
    (
        "trainer: the optimizers' state is not taken up",
        'optimizer.load_state_dict(run_directory.under(arrays, f"{kind}/"))',
        "pass",
    ),
    (
        "resume: the generators' states are not taken up",
        'rng.bit_generator.state = meta["rngs"][name]',
        "pass",
    ),
    (
        "resume: the rest of an epoch is in another order",
        "rng.bit_generator.state = self.order_state",
        "pass",
    ),
    (
        "resume: an epoch begins anew",
        "in rows[self.batches_done :]:",
        "in rows:",
    ),
    (
        "resume: a torn line of metrics stays",
        "file.writelines(lines[: self.epoch])",
        "file.writelines(lines)",
    ),
    (
        "resume: another text is not noticed",
        'if description.get("corpus") != corpus_hash(self.corpus):',
        "if False:",
    ),
    (
        "resume: nothing is saved before the first step",
        "if not (self.out / run_directory.LAST).exists():",
        "if False:",
    ),
    (
        "nan: a loss that is no number is let through",
        'self._check_finite("loss", loss.item(), loss_again)',
        "pass",
    ),
    (
        "nan: a gradient that is no number is let through",
        'self._check_finite("gradient\'s norm", norm, lambda: loss_again().backward())',
        "pass",
    ),
    (
        "saved: weights that are no numbers",
        "if wrong := run_directory.not_finite(arrays):",
        "if wrong := '':",
    ),
]
