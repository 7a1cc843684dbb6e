"""Short lines fill a batch by tokens: what a training does, says, and goes on with."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from trainers import TINY, Array, load, make, resumed, run, trained, write_report

from teenygpt_np import checkpoint, run_directory
from teenygpt_np.model.building import with_positions
from teenygpt_np.text import batches
from teenygpt_np.text.corpus import Corpus
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.training.console import Console
from teenygpt_np.training.loop import Trainer
from teenygpt_np.training.parallel import BatchLoss


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """48 lines to learn from; an epoch may have as few as three batches."""
    monkeypatch.setattr(batches, "_LEAST_BATCHES", 3)
    return load(tmp_path)


def weights(out: Path) -> dict[str, Array]:
    return checkpoint.load(out / run_directory.LAST)[0]


def same(a: dict[str, Array], b: dict[str, Array]) -> bool:
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_a_run_takes_says_and_counts_larger_batches(corpus: Corpus, tmp_path: Path) -> None:
    said = io.StringIO()
    config = dataclasses.replace(TINY, batch_size=4, batch_tokens=10_000)
    made = Trainer(config, corpus, Console(said))
    assert [len(rows) for rows in made._order()] == [16] * 3
    assert made.planned_steps == 9
    assert made.run(tmp_path / "run", write_report) == 0
    mean = made.rows["train"].extent(made.rows["train"].in_order)[1].mean()
    text = f"    a step takes 16 lines, not 4, as they are short: {mean:.1f} tokens\n"
    assert text in said.getvalue()
    assert made.place.step == 9
    assert run_directory.read_description(tmp_path / "run")[1] == with_positions(config)
    plain = trained(corpus, tmp_path / "plain", batch_size=16, batch_tokens=0)
    assert plain.place.step == 9
    assert same(weights(tmp_path / "run"), weights(tmp_path / "plain"))


def test_batches_that_are_large_enough_are_not_spoken_of(corpus: Corpus, tmp_path: Path) -> None:
    said = io.StringIO()
    config = dataclasses.replace(TINY, batch_size=16, batch_tokens=10_000, max_steps=1)
    Trainer(config, corpus, Console(said)).run(tmp_path / "run", write_report)
    assert "a step takes" not in said.getvalue()


def test_a_resumed_run_has_the_same_batches(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"batch_size": 4, "batch_tokens": 10_000}
    whole = trained(corpus, tmp_path / "whole", **settings)
    stopped = make(corpus, **settings)
    take_step = stopped._step

    def step(rows: Ids, is_last: bool) -> BatchLoss:
        told = take_step(rows, is_last)
        stopped.stop_signal = 2 if stopped.place.step == 4 else 0
        return told

    monkeypatch.setattr(stopped, "_step", step)
    assert run(stopped, tmp_path / "part") == 2
    part = resumed(corpus, tmp_path / "part", **settings)
    assert (part.place.step, part.place.batches_done) == (4, 1)
    assert run(part, tmp_path / "part") == 0
    assert part.place.step == whole.place.step == 9
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "part"))


def test_all_tokens_count_where_pads_do(corpus: Corpus) -> None:
    """Rows of 24 tokens then, however short the lines."""
    config = dataclasses.replace(TINY, batch_size=4, batch_tokens=24 * 7, ignore_pads=False)
    assert Trainer(config, corpus, Console(quiet=True)).batch_size == 7
