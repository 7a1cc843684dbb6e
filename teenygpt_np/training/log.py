"""What a training prints: the text and model, the baselines, its progress and its result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import minigrad as mg
from teenygpt_np.config import Config
from teenygpt_np.text.batches import Split
from teenygpt_np.text.corpus import SPLITS, Corpus
from teenygpt_np.training.console import Console, duration
from teenygpt_np.training.objectives import Objective
from teenygpt_np.training.optimizers import warmup_steps
from teenygpt_np.training.place import Place

_LINES_SHOWN = 3  # of what the model writes after an epoch
_WORTH_TELLING = 2.0  # seconds
_GUESSES = {
    "copy": "the source itself",
    "base": "the model that it begins from",
    "majority": "the shares of the classes",
}  # baselines that are no probabilities


class Log:
    """The lines of one training, in the objective's unit."""

    def __init__(
        self, console: Console, config: Config, corpus: Corpus, objective: Objective
    ) -> None:
        self.console, self.config, self.corpus = console, config, corpus
        self.objective = objective

    def introduction(
        self, num_parameters: int, num_trained: int, num_processes: int, out: Path
    ) -> None:
        """The text and the model."""
        config, corpus, say = self.config, self.corpus, self.console.line
        train, val, test = (corpus.splits[name] for name in SPLITS)
        say(
            f"{corpus.name}: {train.amount:,} {train.measure} to learn from, "
            f"{val.amount:,} to validate, {test.amount:,} to test"
        )
        say(f"    {corpus.report}")
        if cut := sum(split.num_cut(config.num_tokens) for split in (train, val, test)):
            lost = sum(split.num_lost(config.num_tokens) for split in (train, val, test))
            gone = f", and {lost:,} that differ only behind that are left out" if lost else ""
            say(f"    {cut:,} {train.measure} are cut to {config.num_tokens - 1} tokens{gone}")
        say(
            f"preset {config.preset}: {num_parameters:,} parameters, kernels: "
            f"{mg.get_backend()}, threads: {mg.get_num_threads()}"
            f"{f', processes: {num_processes}' if num_processes > 1 else ''}, run directory {out}"
        )
        if config.base:
            share = f", {num_trained:,} ({num_trained / num_parameters:.2%}) of them trained"
            say(f"    fine-tuned from {config.base}{share if config.is_frozen else ''}")

    def batches(self, train: Split, batch_size: int) -> None:
        """Where a step takes more rows than the configured batch size."""
        if batch_size > self.config.batch_size:
            length = train.size / len(train)
            self.console.line(
                f"    a step takes {batch_size:,} {train.unit}s, not "
                f"{self.config.batch_size:,}, as they are short: {length:.1f} tokens"
            )

    def schedule(self, steps: int) -> None:
        """Where the learning rate has to reach its highest value sooner than configured."""
        rising = warmup_steps(self.config, steps)
        if rising < self.config.warmup_steps:
            self.console.line(
                f"    the learning rate rises in the first {rising:,} of {steps:,} steps, not in "
                f"{self.config.warmup_steps:,}"
            )

    def going_on(self, place: Place, changes: Sequence[str]) -> None:
        """From where, if not from the beginning.    changes: in the software since the run began"""
        say = self.console.line
        if place.step:
            say(f"continuing after step {place.step:,}, in epoch {place.epoch}")
        if changes:
            say(f"the last bits may now differ, because of {'; '.join(changes)}")

    def baselines(self, train: Split, val: Split, base: dict[str, float] | None) -> None:
        """Print the baselines' scores, to compare the model's with, and that of the base."""
        nll, top1, digits = self.objective.score, self.objective.top1, self.objective.digits
        unit, said, say = self.objective.unit, self.objective.top1_said, self.console.line
        width = max(len(said) + 3, 8)
        say()
        title = "the validation split, by guessing with"
        say(f"{title:42}{f'nats a {unit}':>15}{said:>{width}}")
        found = self.objective.baselines(train, val)
        rows = {_GUESSES.get(n, f"{n} probabilities"): scores for n, scores in found.items()}
        rows |= {"the model that it begins from": base} if base else {}
        for name, score in rows.items():
            nats = f"{score[nll]:.{digits}f}" if nll in score else ""
            share = f"{score[top1]:.1%}" if top1 in score else ""
            say(f"    {name:38}{nats:>15}{share:>{width}}".rstrip())
        if self.corpus.truth and self.objective.of_text:
            say(f"    {'the grammar that wrote it: the limit':38}{self.corpus.truth['val']:15.2f}")
        say()

    def compiling(self) -> None:
        """Show that the kernels are being compiled, which may take long."""
        self.console.status("loading the kernels; compiling them, the first time, takes a while")

    def ready(self, seconds: float) -> None:
        """Print how long that took, if it was long."""
        if seconds > _WORTH_TELLING:
            self.console.line(f"the kernels were ready after {seconds:.0f} s")

    def step(self, place: Place, loss: float, batches_per_epoch: int) -> None:
        """Show the progress of the epoch."""
        done, total = place.batches_done, batches_per_epoch
        if self.config.max_steps:
            total = min(total, done + self.config.max_steps - place.step)
        per_step = place.epoch_seconds / done
        speed = place.epoch_tokens / place.epoch_seconds
        figures = f"loss {loss:.{self.objective.digits}f}  {speed:,.0f} tokens/s"
        title = f"epoch {place.epoch}"
        self.console.update(title, done, total, figures, per_step * (total - done))

    def epoch(self, record: dict[str, Any], is_best: bool, samples: Sequence[str]) -> None:
        """Print an epoch's scores, and some texts that the model writes now."""
        value, digits = record[f"val_{self.objective.score}"], self.objective.digits
        train = f"{record['train_nll']:.{digits}f}" if record["train_nll"] is not None else "-"
        self.console.line(
            f"epoch {record['epoch']}: train {train}, "
            f"val {value:.{digits}f}{self._above_truth(value, 'val')}, "
            f"{self.objective.top1_said} {record[f'val_{self.objective.top1}']:.1%}, "
            f"{duration(record['seconds'])}"
            f"{', a new best' if is_best else ''}"
        )
        self._show("\n".join(samples).strip().splitlines()[:_LINES_SHOWN])

    def stopped(self, step: int, out: Path) -> None:
        """Print that a signal stopped the run, and how to continue it."""
        self.console.line(
            f"stopped after step {step:,}; to continue: "
            f"python -m teenygpt_np.train --resume {shlex.quote(str(out))}"
        )

    def end(
        self, test: dict[str, float], epoch: Any, samples: Sequence[str], report: Path, out: Path
    ) -> None:
        """Print the best model's test scores, texts that it writes, and where everything is."""
        say, value = self.console.line, test[self.objective.score]
        unit, digits = self.objective.unit, self.objective.digits
        say()
        say(
            f"test: {value:.{digits}f} nats per {unit}{self._above_truth(value, 'test')}, "
            f"{self.objective.top1_said} {test[self.objective.top1]:.1%}, "
            f"by the model of epoch {epoch}"
        )
        if others := self.objective.in_other_units(test):
            say(f"    which is {others}")
        say()
        say(f"{self.objective.written}:")
        self._show(samples)
        say()
        say(f"how it learned: {report}")
        say(f"everything is in {out}; for more:")
        command = f"python -m teenygpt_np.{self.objective.command}"
        say(f"    {command} {shlex.quote(str(out))}{self.objective.prompt}")

    def _show(self, samples: Sequence[str]) -> None:
        for line in "\n".join(samples).strip("\n").splitlines():
            self.console.line(f"    {line}")

    def _above_truth(self, value: float, split: str) -> str:
        if not self.corpus.truth or not self.objective.of_text:
            return ""
        return f" ({value - self.corpus.truth[split]:.2f} above the grammar)"
