"""Training a TeenyGPT: epochs of batches, a score after each, the best kept."""

from __future__ import annotations

import json
import math
import platform
import shlex
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array
from minigrad.optim import AdamW, Muon, Optimizer, clip_grad_norm, constant, cosine, warmup
from teenygpt_np import checkpoint, run_directory
from teenygpt_np.baselines import baselines
from teenygpt_np.config import OPTIMIZERS, Config
from teenygpt_np.errors import InputError
from teenygpt_np.inspector.page import write_report
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.scores import scores
from teenygpt_np.text.corpus import Corpus, batches, check_batch, corpus_hash, encode_split, lengths
from teenygpt_np.training.console import Progress, duration
from teenygpt_np.training.norms import norms_by_layer, update_ratios

_STREAMS = ("model", "batches", "samples")  # one generator each, so that none disturbs another
# Where a training stands, besides the weights, the optimizers and the generators.
_COUNTS = ("epoch", "step", "bad_epochs", "batches_done", "epoch_tokens")
_SUMS = ("epoch_loss", "epoch_grad_norm", "epoch_seconds")
_PLACE = (*_COUNTS, *_SUMS, "layers", "best", "finished", "order_state")
_SAMPLES = 64
_DECAY_TO = 0.05
_WORTH_TELLING = 2.0  # seconds
_SAVE_AFTER = 60.0  # seconds, which is what a kill may cost: epochs can take hours


class _Stopped(Exception):
    """A signal asked for it, and nothing is half done."""


class Trainer:
    """One run: its model, its place in the training, and its directory.

    Everything that decides what comes next is in `last.npz`, so that a run taken up again goes on
    bit for bit as it would have.

    Raises InputError where the corpus is too small, or the directory holds a run already.
    """

    def __init__(self, config: Config, corpus: Corpus, out: Path, progress: Progress) -> None:
        check_batch(corpus, config.batch_size)
        self.config, self.corpus, self.out, self.progress = config, corpus, out, progress
        self.ids = {
            split: encode_split(getattr(corpus, split), corpus.tokenizer, config.num_tokens)
            for split in ("train", "val", "test")
        }
        seeds = np.random.SeedSequence(config.seed).spawn(len(_STREAMS))
        self.rngs = {
            name: np.random.default_rng(s) for name, s in zip(_STREAMS, seeds, strict=True)
        }
        self.model = run_directory.build_model(config, corpus.tokenizer, self.rngs["model"])
        self.optimizers = self._make_optimizers()
        self.batches_per_epoch = -(-len(self.ids["train"]) // config.batch_size)
        self.schedule = self._schedule()
        self.epoch = self.step = self.bad_epochs = 0
        self.epoch_loss = self.epoch_grad_norm = self.epoch_seconds = 0.0
        self.epoch_tokens = self.batches_done = 0
        self.layers: dict[str, dict[str, float]] = {"grad_norms": {}, "update_ratios": {}}
        self.order_state = self.rngs["batches"].bit_generator.state
        self.best: dict[str, Any] | None = None
        self.stop_signal = 0  # set by a signal handler: finish the step, save, and stop
        self.finished = False
        self.saved_step, self.saved_at = 0, time.monotonic()
        self.changes: list[str] = []  # in the software, since the checkpoint that it goes on from

    def _make_optimizers(self) -> dict[str, Optimizer]:
        """AdamW; with the optimizer 'muon', that one for the blocks' matrices."""
        config = self.config
        params: dict[str, list[mg.Tensor]] = {kind: [] for kind in OPTIMIZERS}
        for name, param in self.model.named_parameters():
            is_hidden = name.startswith("transformer_blocks.") and param.ndim == 2
            params[config.optimizer if is_hidden else "adamw"].append(param)
        kinds: dict[str, Any] = {"adamw": AdamW, "muon": Muon}
        return {
            kind: kinds[kind](params[kind], lr=config.lr, weight_decay=config.weight_decay)
            for kind in kinds
            if params[kind]
        }

    def _schedule(self) -> Any:
        config = self.config
        steps = config.epochs * self.batches_per_epoch
        lr = (
            cosine(config.lr, steps, config.lr * _DECAY_TO) if config.decay else constant(config.lr)
        )
        return warmup(config.warmup_steps, lr) if config.warmup_steps else lr

    # -- the run -------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the run directory, with its configuration."""
        run_directory.check_new(self.out)
        (self.out / run_directory.SAMPLES).mkdir(parents=True, exist_ok=True)
        _write_json(self.out / run_directory.CONFIG, self._description())

    def prepare(self) -> None:
        """Say what is going to be trained on what, and compile: nothing that could be lost."""
        self._introduce()
        self._compile()

    def train(self) -> bool:
        """Train from where it stands to the end, or to the first signal; then save.

        Returns whether it came to the end. Raises InputError, and saves no more, where a loss, a
        gradient, a weight or a score is no finite number: that is for the user to mend, by a lower
        learning rate or another text.
        """
        try:
            with np.errstate(all="ignore"):  # what overflows is noticed by these checks
                if not (self.out / run_directory.LAST).exists():
                    self.save()
                while not self.finished:
                    self._epoch()
                self._finish()
        except _Stopped:
            self.save()
            self.progress.line(
                f"stopped after step {self.step:,}; to go on: "
                f"python -m teenygpt_np.train --resume {shlex.quote(str(self.out))}"
            )
            return False
        return True

    def _heed_signal(self) -> None:
        if self.stop_signal:
            raise _Stopped

    def _compile(self) -> None:
        """Have the kernels ready before anything is timed: a step of a model made for the purpose.

        Kernels are compiled for a dtype, not for sizes, but take short cuts for a few rows.
        """
        self.progress.status("loading the kernels; compiling them, the first time, takes a while")
        started = time.perf_counter()
        model = TeenyGPT(32, 3, 32, 1, 1, num_blocks=1)
        ids = np.ones((2, 32), np.int64)
        model.loss(ids).backward()
        for optimizer in self.optimizers.values():
            type(optimizer)([model.transformer_blocks[0].msha.out_proj.weight], lr=0.1).step()
        model.log_probs(ids)
        seconds = time.perf_counter() - started
        if seconds > _WORTH_TELLING:
            self.progress.line(f"the kernels were ready after {seconds:.0f} s")

    def _epoch(self) -> None:
        rows = self._order()
        self.model.train()
        limit = self.config.max_steps or math.inf
        for batch in rows[self.batches_done :]:
            if self.step >= limit:
                break
            self._heed_signal()
            started = time.perf_counter()
            is_last = self.batches_done + 1 == len(rows) or self.step + 1 == limit
            loss, tokens = self._step(self.ids["train"][batch], is_last)
            self.batches_done += 1
            self.epoch_loss += loss * len(batch)
            self.epoch_tokens += tokens
            self.epoch_seconds += time.perf_counter() - started
            self._show_step(loss)
            if time.monotonic() - self.saved_at > _SAVE_AFTER:
                self.save()
        self._end_epoch(sum(len(batch) for batch in rows[: self.batches_done]))

    def _order(self) -> list[Array]:
        """The batches of this epoch; the same ones where an epoch is taken up in its middle."""
        rng, ids = self.rngs["batches"], self.ids["train"]
        rng.bit_generator.state = self.order_state
        alike = lengths(ids) if self.config.ignore_pads else None
        return batches(len(ids), self.config.batch_size, rng, alike)

    def _step(self, x: Array, is_last: bool) -> tuple[float, int]:
        """One step on a batch; its loss in nats per headline, and how many tokens that counts.

        is_last: whether it ends its epoch, and is measured layer by layer.
        """
        config = self.config
        tokens = x.size - len(x)
        if config.ignore_pads:
            counted = lengths(x)
            x, tokens = x[:, : counted.max()], int(counted.sum()) - len(x)
        rng, before = self.rngs["model"].bit_generator, self.rngs["model"].bit_generator.state

        def loss_again() -> mg.Tensor:
            rng.state = before
            return self.model.loss(x, ignore_pads=config.ignore_pads)

        self.model.zero_grad()
        loss = self.model.loss(x, ignore_pads=config.ignore_pads)
        self._check_finite("loss", loss.item(), loss_again)
        loss.backward()
        if is_last:
            weights = self.model.state_dict()
            grads = {n: p.grad for n, p in self.model.named_parameters() if p.grad is not None}
            self.layers["grad_norms"] = norms_by_layer(grads)
        norm = clip_grad_norm(self.model.parameters(), config.clip_grad_norm or math.inf)
        self._check_finite("gradient's norm", norm, lambda: loss_again().backward())
        for optimizer in self.optimizers.values():
            optimizer.lr = self.schedule(self.step)
            optimizer.step()
        if is_last:
            self.layers["update_ratios"] = update_ratios(weights, self.model.state_dict())
        self.epoch_grad_norm += norm
        self.step += 1
        return loss.item(), tokens

    def _check_finite(self, name: str, value: float, again: Callable[[], object]) -> None:
        """Raise InputError for a value that is no number.    again: computes it once more"""
        if math.isfinite(value):
            return
        cause = "though not when computed again"
        if wrong := run_directory.not_finite(self._arrays()):
            cause = f"as {wrong} is not finite any more"
        else:
            try:
                with mg.detect_anomaly():
                    again()
            except FloatingPointError as error:
                cause = f"first {error}"
        raise self._diverged(f"the {name} at step {self.step:,} is {value}, {cause}")

    def _diverged(self, what: str) -> InputError:
        return InputError(
            f"{what}; a smaller --lr than {self.config.lr:g} may help; the last good checkpoint is "
            f"{self.out / run_directory.LAST}, after step {self.saved_step:,}"
        )

    def _end_epoch(self, headlines: int) -> None:
        def score() -> dict[str, float]:
            return scores(self.model, self.ids["val"], self._heed_signal)

        val = score()
        self._check_finite("validation score", sum(val.values()), score)
        record = {
            "epoch": self.epoch,
            "step": self.step,
            "train_nll": self.epoch_loss / headlines if headlines else None,
            **{f"val_{name}": value for name, value in val.items()},
            "grad_norm": self.epoch_grad_norm / max(self.batches_done, 1),
            **self.layers,
            "tokens_per_s": self.epoch_tokens / max(self.epoch_seconds, 1e-9),
            "seconds": self.epoch_seconds,
        }
        is_best = self.best is None or record[self._key] < self.best[self._key]
        samples = []
        if is_best:
            self.best, self.bad_epochs = record, 0
            self._save(run_directory.BEST, self._weights())
            samples = self._write_samples()
        else:
            self.bad_epochs += 1
        checkpoint.append_line(self.out / run_directory.METRICS, json.dumps(record))
        self.epoch += 1
        self.batches_done = self.epoch_tokens = 0
        self.epoch_loss = self.epoch_grad_norm = self.epoch_seconds = 0.0
        self.finished = (
            self.epoch >= self.config.epochs
            or self.bad_epochs > self.config.patience
            or self.step >= (self.config.max_steps or math.inf)
        )
        self.order_state = self.rngs["batches"].bit_generator.state
        self.save()
        self._show_epoch(record, is_best)  # last: nobody may look on any more
        for text in samples[:3]:
            self.progress.line(f"    {text}")

    def _write_samples(self) -> list[str]:
        ids = self.model.sample(_SAMPLES, rng=self.rngs["samples"])
        texts = [self.corpus.tokenizer.decode(row) for row in ids]
        path = self.out / run_directory.SAMPLES / f"epoch_{self.epoch:03}.txt"
        checkpoint.write_text(path, "".join(text + "\n" for text in texts))
        return texts

    def _finish(self) -> None:
        """Score the best model on the test split, and say where everything is."""
        best = run_directory.load_run(self.out)
        result = scores(best.model, self.ids["test"], self._heed_signal)
        test = {"epoch": best.meta.get("epoch"), **{f"test_{k}": v for k, v in result.items()}}
        if self.corpus.truth:
            test["truth_nll"] = self.corpus.truth["test"]
        _write_json(self.out / run_directory.TEST, test)
        report = write_report(self.out, self.corpus)
        key = self._key.removeprefix("val_")
        say = self.progress.line
        say()
        say(
            f"test: {result[key]:.2f} nats per headline{self._above_truth(result[key], 'test')}, "
            f"top-1 {result[key.replace('nll', 'top1')]:.1%}, by the model of epoch {test['epoch']}"
        )
        say()
        say("ten headlines it writes:")
        for row in best.model.sample(10, rng=self.rngs["samples"]):
            say(f"    {self.corpus.tokenizer.decode(row)}")
        say()
        say(f"how it learned: {report}")
        say(f"everything is in {self.out}; for more headlines:")
        say(f"    python -m teenygpt_np.sample {shlex.quote(str(self.out))}")

    # -- what is shown -------------------------------------------------------------------------

    @property
    def _key(self) -> str:
        """The score that decides: the one that is trained for."""
        return "val_nll_no_pad" if self.config.ignore_pads else "val_nll"

    @property
    def _key_of_top1(self) -> str:
        return self._key.replace("nll", "top1")

    def _introduce(self) -> None:
        config, corpus, say = self.config, self.corpus, self.progress.line
        say(
            f"{corpus.name}: {len(corpus.train):,} headlines to learn from, {len(corpus.val):,} to "
            f"validate, {len(corpus.test):,} to test"
        )
        say(f"    {corpus.report}")
        if cut := corpus.cut(config.num_tokens):
            say(f"    {cut:,} headlines are cut to {config.num_tokens - 1} characters")
        say(
            f"preset {config.preset}: {self.model.num_parameters():,} parameters, kernels: "
            f"{mg.get_backend()}, threads: {mg.get_num_threads()}, run directory {self.out}"
        )
        self._show_baselines()
        if self.step:
            say(f"going on after step {self.step:,}, in epoch {self.epoch}")
        if self.changes:
            say(f"not the same to the last bit from here on: {'; '.join(self.changes)}")
        say()

    def _show_baselines(self) -> None:
        """What the model's figures are to be read against."""
        ids, vocabulary = self.ids, self.corpus.tokenizer.num_token_vals
        known = baselines(ids["train"], ids["val"], vocabulary)
        nll, top1 = self._key.removeprefix("val_"), self._key_of_top1.removeprefix("val_")
        say = self.progress.line
        say()
        say(f"{'the validation split, by guessing with':42}{'nats a headline':>15}{'top-1':>8}")
        for name, score in known.items():
            say(f"    {name + ' probabilities':38}{score[nll]:15.2f}{score[top1]:8.1%}")
        if self.corpus.truth and self.config.ignore_pads:
            say(f"    {'the grammar that wrote it: the limit':38}{self.corpus.truth['val']:15.2f}")

    def _show_step(self, loss: float) -> None:
        config = self.config
        done, total = self.batches_done, self.batches_per_epoch
        if config.max_steps:
            total = min(total, done + config.max_steps - self.step)
        per_step = self.epoch_seconds / done
        figures = f"loss {loss:.2f}  {self.epoch_tokens / self.epoch_seconds:,.0f} tokens/s"
        title = f"epoch {self.epoch}"
        self.progress.update(title, done, total, figures, per_step * (total - done))

    def _show_epoch(self, record: dict[str, Any], is_best: bool) -> None:
        value = record[self._key]
        train = f"{record['train_nll']:.2f}" if record["train_nll"] is not None else "-"
        self.progress.line(
            f"epoch {record['epoch']}: train {train}, "
            f"val {value:.2f}{self._above_truth(value, 'val')}, "
            f"top-1 {record[self._key_of_top1]:.1%}, {duration(record['seconds'])}"
            f"{', a new best' if is_best else ''}"
        )

    def _above_truth(self, value: float, split: str) -> str:
        if not self.corpus.truth or not self.config.ignore_pads:
            return ""
        return f" ({value - self.corpus.truth[split]:.2f} above the grammar)"

    # -- what is kept --------------------------------------------------------------------------

    def _description(self) -> dict[str, Any]:
        return {
            "config": self.config.as_dict(),
            "characters": self.corpus.tokenizer.characters,
            "corpus": corpus_hash(self.corpus),
            "parameters": self.model.num_parameters(),
            "backend": mg.get_backend(),
            "threads": mg.get_num_threads(),
            "versions": {
                "minigrad": mg.__version__,
                "numpy": np.__version__,
                "numba": metadata.version("numba") if mg.get_backend() == "numba" else "none",
                "python": platform.python_version(),
            },
        }

    def _meta(self) -> dict[str, Any]:
        return self._description() | {
            **{name: getattr(self, name) for name in _PLACE},
            "rngs": {name: rng.bit_generator.state for name, rng in self.rngs.items()},
        }

    def _weights(self) -> dict[str, Array]:
        return {f"model/{k}": v for k, v in self.model.state_dict().items()}

    def _arrays(self) -> dict[str, Array]:
        """All that is kept in arrays: the weights, and what the optimizers keep."""
        arrays = self._weights()
        for kind, optimizer in self.optimizers.items():
            arrays |= {f"{kind}/{k}": v for k, v in optimizer.state_dict().items()}
        return arrays

    def save(self) -> None:
        """Write `last.npz`. Raises InputError instead where a number in it is not finite."""
        self._save(run_directory.LAST, self._arrays())
        self.saved_step, self.saved_at = self.step, time.monotonic()

    def _save(self, name: str, arrays: dict[str, Array]) -> None:
        if wrong := run_directory.not_finite(arrays):
            raise self._diverged(f"{wrong} holds NaN or infinity after step {self.step:,}")
        checkpoint.save(self.out / name, arrays, self._meta())

    def restore(self, arrays: dict[str, Array], meta: dict[str, Any]) -> None:
        """Take up the run where `last.npz` left it, of which these are the contents.

        Raises InputError where they are not a run's, or of another corpus.
        """
        path = self.out / run_directory.LAST
        self.check_corpus(meta, path)
        run_directory.check_arrays(arrays, self._arrays(), path)
        self.model.load_state_dict(run_directory.under(arrays, "model/"))
        for kind, optimizer in self.optimizers.items():
            optimizer.load_state_dict(run_directory.under(arrays, f"{kind}/"))
        try:
            self.rngs["batches"].bit_generator.state = meta["order_state"]  # raises if it is none
            for name, rng in self.rngs.items():
                rng.bit_generator.state = meta["rngs"][name]
            for name in _PLACE:
                setattr(self, name, meta[name])
            counts = [meta[name] for name in _COUNTS]
            if not all(type(n) is int and 0 <= n <= run_directory.MAX_COUNT for n in counts):
                raise ValueError(f"{_COUNTS} are {counts}")
            best = self.best[self._key] if self.best is not None else 0.0
            figures = [best, *(getattr(self, name) for name in _SUMS)]
            for kind in ("grad_norms", "update_ratios"):
                figures += self.layers[kind].values()
            if not all(map(math.isfinite, figures)):
                raise ValueError("its figures are not finite")
            then, now = _software(meta), _software(self._description())
            self.changes = [f"{k} {then[k]}, now {now[k]}" for k in now if then[k] != now[k]]
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is no checkpoint of a run: {error}") from error
        self.saved_step = self.step
        told = self.out / run_directory.METRICS
        if told.exists():  # an epoch whose end was cut short is done, and told, again
            lines = told.read_bytes().splitlines(keepends=True)
            with checkpoint.atomic_file(told) as file:
                file.writelines(lines[: self.epoch])

    def check_corpus(self, description: Mapping[str, Any], path: Path) -> None:
        """Raise InputError where a file is of a run on another text."""
        if description.get("corpus") != corpus_hash(self.corpus):
            raise InputError(f"{path} was trained on another text than {self.corpus.name} is now")


def _software(description: Mapping[str, Any]) -> dict[str, str]:
    kept = {name: description[name] for name in ("backend", "threads")}
    return {
        name: f"{value!r:.20}".strip("'")
        for name, value in (kept | description["versions"]).items()
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    checkpoint.write_text(path, json.dumps(value, indent=2) + "\n")
