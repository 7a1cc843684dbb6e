"""Runs that learn to fill in masked tokens: scores, going on, and all commands."""

from __future__ import annotations

import json
import math
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import SMALL, after_step, call, left_behind, write_corpus
from trainers import load, make, metrics, rows, trained

from teenygpt_np.text.corpus import Corpus
from teenygpt_np.training.objectives.masked import in_brackets

each_objective = pytest.mark.parametrize("objective", ["masked", "joint"])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    data = write_corpus(folder)
    for name in ("masked", "joint"):
        flags = [*SMALL, "--epochs=2", "--dropout=0.2", f"--objective={name}", "--quiet"]
        assert call("train", "--data", data, "--out", folder / name, *flags).status == 0
    return {name: folder / name for name in ("masked", "joint")}


# -- scores ----------------------------------------------------------------------------------------


def test_a_split_has_the_same_masks_every_time(corpus: Corpus) -> None:
    made = make(corpus, objective="masked")
    first, second = (made.objective.scores(made.model, rows(corpus, "val")) for _ in range(2))
    assert first == second
    others = make(corpus, objective="masked", mask_share=0.3)
    assert others.objective.scores(made.model, rows(corpus, "val")) != first


def test_an_untrained_model_is_near_the_uniform_guess(corpus: Corpus) -> None:
    made = make(corpus, objective="masked")
    scores = made.objective.scores(made.model, rows(corpus, "train"))
    baselines = made.objective.baselines(rows(corpus, "train"), rows(corpus, "train"))
    V = corpus.tokenizer.num_token_vals
    assert baselines["uniform"]["masked_nats"] == pytest.approx(math.log(V))
    assert baselines["unigram"]["masked_nats"] < math.log(V)
    assert scores["masked_nats"] == pytest.approx(math.log(V), rel=0.25)


def test_the_loss_is_the_mean_over_the_rows(corpus: Corpus) -> None:
    made = make(corpus, objective="masked", dropout=0.0)
    batch = made.objective.batch(rows(corpus, "train"), np.arange(16), made.rngs["model"])
    loss = made.objective.loss(made.model, batch)
    model, rest = made.model, (batch.targets, batch.masked, batch.lengths)
    each = [
        model.masked_loss(batch.ids[i : i + 1], *(a[i : i + 1] for a in rest)).item()
        for i in range(16)
    ]
    assert loss.minimized.item() == pytest.approx(np.mean(each), rel=1e-5)
    assert loss.nats == pytest.approx(sum(each), rel=1e-5)
    assert loss.units == batch.masked.sum() > 0


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_both_losses_are_added(corpus: Corpus, alpha: float) -> None:
    made = make(corpus, objective="joint", alpha=alpha, dropout=0.0)
    batch = made.objective.batch(rows(corpus, "train"), np.arange(16), made.rngs["model"])
    of_next = made.model.loss(batch.whole.ids, batch.whole.counted).item()
    masked = batch.masked
    filling = made.model.masked_loss(masked.ids, masked.targets, masked.masked, masked.lengths)
    want = of_next + alpha * filling.item() / 16
    loss = made.objective.loss(made.model, batch)
    assert loss.minimized.item() == pytest.approx(want, rel=1e-6)
    assert loss.nats / 16 == pytest.approx(want, rel=1e-6)
    assert loss.units == 16
    scores = made.objective.scores(made.model, rows(corpus, "val"))
    assert scores["joint"] == pytest.approx(scores["nll_no_pad"] + alpha * scores["masked_nll"])


def test_training_makes_it_better(corpus: Corpus, tmp_path: Path) -> None:
    trained(corpus, tmp_path / "run", objective="masked", epochs=12, num_emb=16, lr=2e-2)
    records = metrics(tmp_path / "run")
    assert records[-1]["val_masked_nats"] < records[0]["val_masked_nats"] - 0.2
    assert records[-1]["train_nll"] < records[0]["train_nll"] - 0.2


# -- runs ------------------------------------------------------------------------------------------


@each_objective
def test_going_on_gives_the_same_bits(
    runs: dict[str, Path], tmp_path: Path, objective: str
) -> None:
    flags = [*SMALL, "--epochs=2", "--dropout=0.2", f"--objective={objective}"]
    data = runs["masked"].parent / "lines.txt"
    with after_step(4, lambda: signal.raise_signal(signal.SIGTERM)):
        done = call("train", "--data", data, "--out", tmp_path / "run", *flags)
    assert done.status == 128 + signal.SIGTERM
    assert call("train", "--resume", tmp_path / "run").status == 0
    ours, whole = left_behind(tmp_path / "run"), left_behind(runs[objective])
    assert [name for name in whole if ours[name] != whole[name]] == []


def test_evaluate_tells_what_it_learned(runs: dict[str, Path]) -> None:
    found = {name: json.loads(call("evaluate", out, "--json").out) for name, out in runs.items()}
    assert found["masked"]["model"].keys() == {"masked_nats", "masked_top1", "masked_nll"}
    assert found["joint"]["model"].keys() > {"nll_no_pad", "masked_nats", "joint"}
    told = {name: call("evaluate", out).out for name, out in runs.items()}
    assert "a masked token" in told["masked"]
    assert "padding not counted" not in told["masked"]
    assert {"a masked token", "padding not counted"} <= set(re.split(r"\s{2,}|\n", told["joint"]))
    call("evaluate", runs["masked"], "--each").assert_refused("--each is for whole lines")
    done = call("sample", runs["masked"], "--prompt=ki_g", "--length=4")
    done.assert_refused("--length can't be given: a prompt of .* is a text with _ for each token")


@each_objective
def test_blanks_are_filled_in(runs: dict[str, Path], objective: str) -> None:
    done = call("sample", runs[objective], "--prompt", "king ____ t__ks", "-n=3", "--seed=1")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r"king [a-z ]{4} t[a-z ]{2}ks", line) for line in lines)
    again = call("sample", runs[objective], "--prompt", "king ____ t__ks", "-n=3", "--seed=1")
    assert again.out == done.out


def test_each_prompt_is_taken_as_the_model_can(runs: dict[str, Path]) -> None:
    call("sample", runs["masked"]).assert_refused("the prompt is '', wanted a text with _ for each")
    long = "_" * 30
    call("sample", runs["masked"], "--prompt", long).assert_refused("has 32 tokens, wanted at most")
    done = call("sample", runs["joint"], "--prompt=king ", "-n=2")
    assert all(line.startswith("king ") for line in done.out.splitlines())
    done = call("sample", runs["masked"], "--prompt=king\u4e2d __ng", "-n=1")
    assert (done.status, done.err) == (
        0,
        "read as spaces, because the model does not know them: \u4e2d\n",
    )


def test_only_mixers_that_see_both_ways(tmp_path: Path) -> None:
    flags = [f"--out={tmp_path / 'run'}", f"--data={write_corpus(tmp_path)}", *SMALL]
    done = call("train", *flags, "--objective=masked", "--mixer=gru")
    done.assert_refused("mixer is gru, wanted attention with objective masked: gru sees only what")
    done = call("train", *flags, "--alpha=0.5")
    done.assert_refused("--alpha is for objective joint, and objective is next")
    assert not (tmp_path / "run").exists()


def test_running_text_is_filled_in_too(tmp_path: Path) -> None:
    data = write_corpus(tmp_path)
    flags = [f"--data={data}", "--text=running", "--num-emb=8", "--num-tokens=16", "--batch-size=4"]
    for objective in ("masked", "joint"):
        out = tmp_path / objective
        done = call("train", *flags, "--out", out, f"--objective={objective}", "--max-steps=3")
        assert (done.status, done.err) == (0, "")
        assert call("sample", out, "--prompt=ki_g").status == 0
        assert call("evaluate", out).status == 0


def test_what_is_filled_in_stands_in_brackets(corpus: Corpus) -> None:
    ids: Any = corpus.tokenizer.row("king wins")
    filled = np.zeros(len(ids), bool)
    filled[[3, 4, 7]] = True
    assert in_brackets(corpus.tokenizer, ids, filled) == "ki[ng] w[i]ns"
