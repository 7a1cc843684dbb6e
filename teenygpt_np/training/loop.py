"""Training: epochs of batches, a validation after each, and the best model is kept."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np import checkpoint, run_directory
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.building import build_model, with_positions
from teenygpt_np.ranks import Map, Ranks, alone
from teenygpt_np.text.batches import check_batch
from teenygpt_np.text.corpus import SPLITS, Corpus, corpus_hash, is_hash_of
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.training.console import Console
from teenygpt_np.training.log import Log
from teenygpt_np.training.norms import fullest_experts, norms_by_layer, update_ratios
from teenygpt_np.training.objectives import objective_of
from teenygpt_np.training.optimizers import make_optimizers, make_schedule
from teenygpt_np.training.parallel import BatchLoss, DataParallel
from teenygpt_np.training.place import Place
from teenygpt_np.training.signals import first_signal_to
from teenygpt_np.training.warm_up import warm_up

_T = TypeVar("_T")
_R = TypeVar("_R")

_STREAMS = ("model", "batches", "samples")  # a generator each, so that none changes another's draws
_SIGPIPE = 13  # which Windows does not have
_SAVE_AFTER = 60.0  # seconds, as much as a kill may cost: an epoch can take hours


class _Stopped(Exception):
    """A signal asked to stop, and no step or file is half done."""


class Trainer:
    """A model in training, with its optimizers, its random generators and its place.

    A run's `last.npz` holds everything that decides the next steps, so a resumed run continues bit
    for bit as it would have: make a Trainer from the run's configuration and text, `restore` it,
    and `run` it.

    Raises InputError if the corpus is too small or the model too large.
    """

    def __init__(
        self, config: Config, corpus: Corpus, console: Console, ranks: Ranks | None = None
    ) -> None:
        self.config = config = with_positions(config)
        self.corpus = corpus
        self.ranks = ranks or Ranks()
        self.rows = {split: corpus.rows(split, config.num_tokens) for split in SPLITS}
        check_batch(corpus.name, self.rows["train"], config.batch_size)
        seeds = np.random.SeedSequence(config.seed).spawn(len(_STREAMS))
        self.rngs = {
            name: np.random.default_rng(s) for name, s in zip(_STREAMS, seeds, strict=True)
        }
        self.model = build_model(config, corpus.tokenizer.num_token_vals, self.rngs["model"])
        self.parallel = DataParallel(self.ranks, self.model, config, self.rngs["model"])
        self.objective = objective_of(config, corpus.tokenizer)
        self.optimizers = make_optimizers(self.model, config)
        self.batch_size = self.objective.rows_per_batch(
            self.rows["train"], config.batch_size, config.batch_tokens
        )
        self.batches_per_epoch = -(-self.rows["train"].rows_per_epoch // self.batch_size)
        if config.epoch_steps:
            self.batches_per_epoch = min(self.batches_per_epoch, config.epoch_steps)
        self.planned_steps = config.epochs * self.batches_per_epoch
        if config.max_steps:
            self.planned_steps = min(self.planned_steps, config.max_steps)
        self.schedule = make_schedule(config, self.planned_steps)
        self.log = Log(console, config, corpus, self.objective)
        self.place = Place(self.rngs["batches"].bit_generator.state)
        self.stop_signal = 0  # a signal's number: finish the step, save, and stop
        self.saved_step, self.saved_at = 0, time.monotonic()
        self.changes: list[str] = []  # in the software, since the checkpoint that it goes on from
        self.out: Path  # the run's directory, as soon as it runs

    @property
    def begins_anew(self) -> bool:
        """Whether it has taken no step yet with the weights of a base."""
        return bool(self.config.base) and self.place.step == 0

    # -- the run -------------------------------------------------------------------------------

    def run(self, out: Path, write_report: Callable[[Path, Corpus], Path]) -> int:
        """Train from the current place to the end, or to the first signal; then save.

        out: the run's directory, one that `run_directory.check_new` accepts or that of the run that
        was restored.    write_report: makes the page of a finished run, and returns its path

        Returns 0 at the end, otherwise the number of the signal. Raises InputError, and saves no
        more, if a loss, a gradient, a weight or a score is not finite; a lower learning rate or
        another text may help. Raises OSError if a file cannot be written, or, when it has saved, if
        nothing can be printed.
        """
        self.out = out
        self.log.compiling()
        if self.ranks.from_first(not (out / run_directory.CONFIG).exists()):
            self.ranks.choose_backend()
        self._check_alike()
        if self.ranks.is_first:
            self._begin()
        trained = sum(p.size for p in run_directory.trained(self.model).values())
        self.log.introduction(self.model.num_parameters(), trained, self.ranks.count, out)
        self.log.batches(self.rows["train"], self.batch_size)
        self.log.schedule(self.planned_steps)
        self.log.going_on(self.place, self.changes)
        base = self._scores(self.ranks.map) if self.begins_anew else None
        if self.ranks.is_first:
            self.log.baselines(self.rows["train"], self.rows["val"], base)
        self.log.compiling()
        started = time.perf_counter()
        warm_up(self.config, self.objective)
        self.log.ready(time.perf_counter() - started)
        stopped_by = 0
        with first_signal_to(self._stop), np.errstate(all="ignore"):
            # An overflow is not worth a warning: losses, norms and scores are checked.
            try:
                if self.ranks.from_first(not (out / run_directory.LAST).exists()):
                    self.save()
                while not self.place.finished:
                    self._epoch()
                self._finish(write_report)
                self.ranks.gathered("finished")
            except _Stopped:
                self.save()
                self.log.stopped(self.place.step, out)
                stopped_by = self.ranks.gathered(self.stop_signal)[0]
        if self.log.console.failed:
            raise self.log.console.failed
        return 0 if stopped_by == _SIGPIPE else stopped_by  # the first rank tells of that

    def _check_alike(self) -> None:
        """Raise InputError if a rank has other versions, settings or text than the first."""
        described = self._description()
        told: dict[str, Any] = {}
        for kind in ("versions", "config"):
            told |= {f"{kind} {name}": value for name, value in described[kind].items()}
        told |= {kind: described[kind] for kind in ("backend", "threads", "tokenizer", "corpus")}
        first, *others = self.ranks.gathered(told)
        for number, other in enumerate(others, 1):
            for name, value in first.items():
                if other[name] != value:
                    raise InputError(
                        f"process {number} has {name} {other[name]!r:.80}, and the first "
                        f"{value!r:.80}; wanted the same"
                    )

    def _begin(self) -> None:
        """Write config.json, if it is not there as it should be."""
        if not (self.out / run_directory.CONFIG).exists():
            run_directory.begin(self.out, self._description())
        elif self.config != run_directory.read_description(self.out)[1]:  # some may change
            checkpoint.write_json(self.out / run_directory.CONFIG, self._description())

    def _stop(self, number: int) -> None:
        self.stop_signal = number

    def _heed_signal(self) -> None:
        """Raise _Stopped if any rank got a signal or cannot print; every rank must call it."""
        number = _SIGPIPE if self.log.console.failed else self.stop_signal
        if told := max(self.ranks.gathered(number)):  # one that comes meanwhile is kept
            self.stop_signal = told
            raise _Stopped

    def _epoch(self) -> None:
        order, place = self._order(), self.place
        self.model.train()
        limit = self.config.max_steps or math.inf
        for rows in order[place.batches_done :]:
            if place.step >= limit:
                break
            self._heed_signal()
            started = time.perf_counter()
            is_last = place.batches_done + 1 == len(order) or place.step + 1 == limit
            loss = self._step(rows, is_last)
            place.batches_done += 1
            place.epoch_loss += loss.nats
            place.epoch_units += loss.units
            place.epoch_tokens += loss.tokens
            place.epoch_seconds += time.perf_counter() - started
            self.log.step(place, loss.nats / max(loss.units, 1), self.batches_per_epoch)
            is_due = time.monotonic() - self.saved_at > _SAVE_AFTER
            if self.ranks.from_first(is_due):  # clocks differ
                self.save()
        self._end_epoch()

    def _order(self) -> list[Ids]:
        """The batches of this epoch; the same ones if it is resumed in its middle."""
        rng = self.rngs["batches"]
        rng.bit_generator.state = self.place.order_state
        order = self.objective.order(self.rows["train"], self.batch_size, rng)
        return order[: self.batches_per_epoch]

    def _step(self, rows: Ids, is_last: bool) -> BatchLoss:
        """Take one step; its loss.    is_last: of its epoch: norms are kept by layer"""
        rng, before = self.rngs["model"].bit_generator, self.rngs["model"].bit_generator.state
        parallel, step = self.parallel, self.place.step

        def again() -> None:
            rng.state = before
            parallel.again(rows, step, self._backward)

        self.model.zero_grad()
        loss = parallel.gradients(rows, step, self._backward)
        self._check_finite("loss", loss.minimized, again)
        if is_last:
            layers = [name for name, _ in self.model.named_children()]
            weights = self.model.state_dict()
            self.place.layers["grad_norms"] = norms_by_layer(parallel.all_gradients(), layers)
            loads = self.ranks.gathered(fullest_experts(self.model))[parallel.last_rank(len(rows))]
            if loads:
                self.place.layers["fullest_experts"] = loads
        norm = parallel.clip(self.config.clip_grad_norm or math.inf)
        self._check_finite("gradient's norm", norm, again)
        for optimizer in self.optimizers.values():
            optimizer.lr = self.schedule(step)
            optimizer.step()
        parallel.spread()
        if is_last:
            after = self.model.state_dict()
            self.place.layers["update_ratios"] = update_ratios(weights, after, layers)
        self.place.epoch_grad_norm += norm
        self.place.step += 1
        return loss

    def _backward(self, rows: Ids) -> BatchLoss:
        """Add the gradient of some rows of the training split to the parameters."""
        batch = self.objective.batch(self.rows["train"], rows, self.rngs["model"])
        loss = self.objective.loss(self.model, batch)
        loss.minimized.backward()
        tokens = int(batch.counted.sum())
        return BatchLoss(loss.minimized.item(), loss.nats, loss.units, tokens)

    def _check_finite(self, name: str, value: float, again: Callable[[], object]) -> None:
        """Raise InputError if a value, which all ranks have, is not finite.

        again: computes it again, for the cause: by this rank alone, as others may find another one
        """
        if math.isfinite(value):
            return
        cause = "but finite when it is computed again"
        if wrong := run_directory.not_finite(self._weights() | self._state(owned=True)):
            cause = f"because {wrong} is not finite"
        else:
            try:
                with mg.detect_anomaly():
                    again()
            except FloatingPointError as error:
                cause = f"first {error}"
        causes = self.ranks.gathered(cause)
        cause = next((c for c in causes if not c.startswith("but")), causes[0])
        raise self._diverged(f"the {name} at step {self.place.step:,} is {value}, {cause}")

    def _diverged(self, what: str) -> InputError:
        return InputError(
            f"{what}; a smaller --lr than {self.config.lr:g} may help; the last good checkpoint is "
            f"{self.out / run_directory.LAST}, after step {self.saved_step:,}"
        )

    def _end_epoch(self) -> None:
        val, place = self._scores(self._shared_out), self.place
        self._check_finite("validation score", sum(val.values()), self._scores)
        record = {
            "epoch": place.epoch,
            "step": place.step,
            "train_nll": place.epoch_loss / place.epoch_units if place.epoch_units else None,
            **{f"val_{name}": value for name, value in val.items()},
            "grad_norm": place.epoch_grad_norm / max(place.batches_done, 1),
            **place.layers,
            "tokens_per_s": place.epoch_tokens / max(place.epoch_seconds, 1e-9),
            "seconds": place.epoch_seconds,
        }
        is_best = place.best is None or record[self._key] < place.best[self._key]
        samples: Sequence[str] = []
        if is_best:
            place.best, place.bad_epochs = record, 0
            if self.ranks.is_first:
                self._save(run_directory.BEST, self._weights())
                samples = self._write_samples()
        else:
            place.bad_epochs += 1
        if self.ranks.is_first:
            checkpoint.append_line(self.out / run_directory.METRICS, json.dumps(record))
        place.begin_epoch(self.rngs["batches"].bit_generator.state)
        place.finished = self._is_finished()
        self.save()
        self.log.epoch(record, is_best, samples[: self.objective.samples[1]])

    def _scores(self, each: Map = alone) -> dict[str, float]:
        """Of the model on the validation split."""
        return self.objective.scores(self.model, self.rows["val"], each)

    def _shared_out(self, work: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        return self.ranks.map(work, items, self._heed_signal)

    def _is_finished(self) -> bool:
        place, config = self.place, self.config
        return (
            place.epoch >= config.epochs
            or place.bad_epochs > config.patience
            or (place.step >= (config.max_steps or math.inf) and not place.batches_done)
        )

    @property
    def _key(self) -> str:
        """The score that decides which epoch is best, as the metrics name it."""
        return f"val_{self.objective.score}"

    def _written(self, model: Any, number: int) -> Sequence[str]:
        return self.objective.write(model, self.rows["val"], number, self.rngs["samples"])

    def _write_samples(self) -> Sequence[str]:
        texts = self._written(self.model, self.objective.samples[0])
        path = self.out / run_directory.SAMPLES / f"epoch_{self.place.epoch:03}.txt"
        checkpoint.write_text(path, "".join(text + "\n" for text in texts))
        return texts

    def _finish(self, write_report: Callable[[Path, Corpus], Path]) -> None:
        """Score the best model on the test split, write the report, and print the result."""
        self.ranks.from_first("best.npz is written")  # so the others wait for that
        best, out = run_directory.load_run(self.out), self.out
        result = self.objective.scores(best.model, self.rows["test"], self._shared_out)
        if not self.ranks.is_first:
            return
        test = {"epoch": best.meta.get("epoch"), **{f"test_{k}": v for k, v in result.items()}}
        if self.corpus.truth:
            test["truth_nll"] = self.corpus.truth["test"]
        checkpoint.write_json(out / run_directory.TEST, test)
        report = write_report(out, self.corpus)
        samples = self._written(best.model, self.objective.samples[2])
        self.log.end(result, test["epoch"], samples, report, out)

    # -- checkpoints --------------------------------------------------------------------------

    def _description(self) -> dict[str, Any]:
        return run_directory.description(self.config, self.corpus.tokenizer) | {
            "corpus": corpus_hash(self.corpus),
            "parameters": self.model.num_parameters(),
            "backend": mg.get_backend(),
            "threads": mg.get_num_threads(),
            "versions": {
                "minigrad": mg.__version__,
                "numpy": np.__version__,
                "numba": metadata.version("numba") if mg.get_backend() != "numpy" else "none",
                "python": platform.python_version(),
            },
        }

    def _weights(self) -> dict[str, Array]:
        return {name: p.numpy() for name, p in run_directory.trained(self.model, "model/").items()}

    def _state(self, *, owned: bool) -> dict[str, Array]:
        """What the optimizers keep of the owned parameters, or of all."""
        arrays: dict[str, Array] = {}
        for kind, optimizer in self.optimizers.items():
            numbers = self.parallel.owned_by(optimizer) if owned else None
            arrays |= {f"{kind}/{k}": v for k, v in optimizer.state_dict(numbers).items()}
        return arrays

    def save(self) -> None:
        """Write `last.npz`. Raises InputError instead if a number in it is not finite."""
        if parts := self.ranks.to_first(self._state(owned=True)):
            state = {name: array for part in parts for name, array in part.items()}
            self._save(run_directory.LAST, self._weights() | dict(sorted(state.items())))
        self.saved_step, self.saved_at = self.place.step, time.monotonic()

    def _save(self, name: str, arrays: dict[str, Array]) -> None:
        if wrong := run_directory.not_finite(arrays):
            raise self._diverged(f"{wrong} holds NaN or infinity after step {self.place.step:,}")
        rngs = {name: rng.bit_generator.state for name, rng in self.rngs.items()}
        meta = self._description() | self.place.as_meta() | {"rngs": rngs}
        checkpoint.save(self.out / name, arrays, meta)

    def restore(self, arrays: dict[str, Array], meta: dict[str, Any], path: Path) -> None:
        """Continue a run from its `last.npz`.

        arrays, meta: the content of that file.    path: its path; the metrics in the same directory
        are cut to the epochs that were done when it was saved

        Raises InputError if the content is not that of a run, or of a run on another text.
        """
        self.check_corpus(meta, path)
        run_directory.check_arrays(arrays, self._weights() | self._state(owned=False), path)
        self.model.load_state_dict(self.model.state_dict() | run_directory.under(arrays, "model/"))
        for kind, optimizer in self.optimizers.items():
            state = run_directory.under(arrays, f"{kind}/")
            optimizer.load_state_dict(state, self.parallel.owned_by(optimizer))
        try:
            self.rngs["batches"].bit_generator.state = meta["order_state"]  # raises if it is none
            for name, rng in self.rngs.items():
                rng.bit_generator.state = meta["rngs"][name]
            self.place = Place.from_meta(meta, self._key)
            self.place.finished = self._is_finished()  # the limits may be others now
            then, now = _software(meta), _software(self._description())
            self.changes = [f"{k} {then[k]}, now {now[k]}" for k in now if then[k] != now[k]]
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is no checkpoint of a run: {error}") from error
        self.saved_step = self.place.step
        metrics = path.with_name(run_directory.METRICS)
        # An epoch that ended without a save is done and recorded again.
        if self.ranks.is_first and metrics.exists():
            lines = metrics.read_bytes().splitlines(keepends=True)
            with checkpoint.atomic_file(metrics) as file:
                file.writelines(lines[: self.place.epoch])

    def check_corpus(self, description: Mapping[str, Any], path: Path) -> None:
        """Raise InputError if a file belongs to a run on another text."""
        if not is_hash_of(description.get("corpus"), self.corpus):
            raise InputError(f"{path} was trained on another text than {self.corpus.name} is now")


def _software(description: Mapping[str, Any]) -> dict[str, str]:
    kept = {name: description[name] for name in ("backend", "threads")}
    return {
        name: f"{value!r:.20}".strip("'")
        for name, value in (kept | description["versions"]).items()
    }
