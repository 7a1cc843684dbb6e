"""Seeded faults in `teenygpt_np/training/loop.py`."""

FAULTS = [
    (
        "parallel: experts' loads of a rank that had no rows",
        "[parallel.last_rank(len(rows))]",
        "[-1]",
    ),
    (
        "parallel: a signal is heeded by the process that got it alone",
        "if told := max(self.ranks.gathered(number)):",
        "if told := max([number]):",
    ),
    (
        "norms: the first step measured instead of the last",
        "is_last = place.batches_done + 1 == len(order)",
        "is_last = place.batches_done == 0",
    ),
    (
        "resume: nothing is saved until an epoch's end",
        "is_due = time.monotonic() - self.saved_at > _SAVE_AFTER",
        "is_due = False",
    ),
    (
        "resume: nothing is saved when the output fails",
        "number = _SIGPIPE if self.log.console.failed else self.stop_signal",
        "number = self.stop_signal",
    ),
    ("loop: gradients pile up", "        self.model.zero_grad()\n", ""),
    (
        "loop: gradients are not clipped",
        "parallel.clip(self.config.clip_grad_norm or math.inf)",
        "parallel.clip(math.inf)",
    ),
    (
        "batch_tokens: batches of short lines stay small",
        'self.rows["train"], self.batch_size, rng)',
        'self.rows["train"], self.config.batch_size, rng)',
    ),
    (
        "loop: the optimizers' state is not taken up",
        "optimizer.load_state_dict(state, self.parallel.owned_by(optimizer))",
        "pass",
    ),
    (
        "resume: the generators' states are not taken up",
        'rng.bit_generator.state = meta["rngs"][name]',
        "pass",
    ),
    (
        "resume: the rest of an epoch is in another order",
        "rng.bit_generator.state = self.place.order_state",
        "pass",
    ),
    ("resume: an epoch begins anew", "in order[place.batches_done :]:", "in order:"),
    (
        "resume: a torn line of metrics stays",
        "file.writelines(lines[: self.place.epoch])",
        "file.writelines(lines)",
    ),
    (
        "resume: another text is not noticed",
        'if not is_hash_of(description.get("corpus"), self.corpus):',
        "if False:",
    ),
    (
        "resume: nothing is saved before the first step",
        "if self.ranks.from_first(not (out / run_directory.LAST).exists()):",
        "if False:",
    ),
    (
        "nan: a loss that is no number is let through",
        'self._check_finite("loss", loss.minimized, again)',
        "pass",
    ),
    (
        "nan: a gradient that is no number is let through",
        'self._check_finite("gradient\'s norm", norm, again)',
        "pass",
    ),
    (
        "saved: weights that are no numbers",
        "if wrong := run_directory.not_finite(arrays):",
        "if wrong := '':",
    ),
]
