"""Seeded faults in what a training keeps, and takes up again; a table as in faults_engine.py."""

from __future__ import annotations

FAULTS = {
    "teenygpt_np/checkpoint.py": [
        (
            "checkpoint: its SHA-256 is not compared",
            "if found != _sha256(arrays):",
            "if False:",
        ),
        (
            "checkpoint: dtypes and shapes are not hashed",
            '{name} {array.dtype.str} {array.shape}\\n".encode()',
            '{name}\\n".encode()',
        ),
        (
            "checkpoint: sizes are not bounded by the file's",
            "if sum(m.file_size for m in members) > size:",
            "if False:",
        ),
        (
            "checkpoint: a long table of members is parsed",
            "_check_directory(file, size)",
            "pass",
        ),
        (
            "checkpoint: compressed members are taken",
            "member.compress_type != zipfile.ZIP_STORED or name in arrays",
            "name in arrays",
        ),
        (
            "checkpoint: written through a link in the temporary file's place",
            'temporary.unlink(missing_ok=True)\n        with temporary.open("xb")',
            'with temporary.open("wb")',
        ),
        (
            "checkpoint: a line of metrics is not flushed",
            "os.fsync(file.fileno())\n    except",
            "pass\n    except",
        ),
        (
            "disk: a file is not flushed",
            "os.fsync(file.fileno())\n        temporary.replace(path)",
            "pass\n        temporary.replace(path)",
        ),
        (
            "disk: a file is renamed before it is flushed",
            "os.fsync(file.fileno())\n        temporary.replace(path)",
            "temporary.replace(path)\n            os.fsync(file.fileno())",
        ),
        (
            "disk: a new name is not flushed",
            "_sync_directory(path.parent)",
            "pass",
        ),
        (
            "disk: the old file is gone before the new one is there",
            "temporary.replace(path)",
            "path.unlink(missing_ok=True)\n        temporary.replace(path)",
        ),
    ],
    "teenygpt_np/run.py": [
        (
            "resume: the lock is not taken",
            "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
            "pass",
        ),
        (
            "resume: what is left of a run is overwritten",
            "in (METRICS, BEST, LAST, TEST, REPORT)",
            "in (METRICS,)",
        ),
        (
            "trainer: a model may be larger than the weights that came",
            "if embeddings + blocks > came or config.num_blocks > len(arrays):",
            "if False:",
        ),
    ],
    "teenygpt_np/train.py": [
        (
            "resume: nothing is saved when the output fails",
            "if error.filename is None:",
            "if False:",
        ),
        ("resume: links are followed", "    run.check_files(out)\n", ""),
        (
            "signal: a second one waits as well",
            "signal.signal(name, signal.SIG_DFL)",
            "pass",
        ),
    ],
    "teenygpt_np/norms.py": [
        ("norms: the last array for the layer", "squares[layer[0]] +=", "squares[layer[0]] ="),
    ],
    "teenygpt_np/trainer.py": [
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
            'optimizer.load_state_dict(run.under(arrays, f"{kind}/"))',
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
            "if not (self.out / run.LAST).exists():",
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
            "if wrong := run.not_finite(arrays):",
            "if wrong := '':",
        ),
    ],
}
