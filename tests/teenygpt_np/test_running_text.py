"""The commands on running text, with each kind of tokenizer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import SMALL, Result, call, left_behind
from trainers import make, metrics, resumed, trained
from trainers import run as run_trainer

from teenygpt_np.run_directory import load_run
from teenygpt_np.text.corpus import load_corpus
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.training.parallel import BatchLoss

PLAY = "".join(
    f"{who}:\nWhy, {what} is as {how} as the sea;\n\n"
    for who in ("KING", "Fool")
    for what in ("a crown", "my song", "the night")
    for how in ("deep", "cold", "wide", "Ómós", "old")
)
FLAGS = ["--text=running", *SMALL, "--batch-size=4", "--epochs=2", "--dropout=0.2", "--threads=1"]
TOKENIZERS = {
    "characters": [],
    "bytes": ["--tokenizer=bytes"],
    "bpe": ["--tokenizer=bpe", "--vocab-size=290"],
}


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "play.txt"
    path.write_text(PLAY, encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=TOKENIZERS)
def run(request: pytest.FixtureRequest, play: Path, tmp_path_factory: Any) -> Path:
    """A run that has ended, and what it printed beside it."""
    out: Path = tmp_path_factory.mktemp(request.param) / "run"
    done = call("train", "--data", play, "--out", out, *FLAGS, *TOKENIZERS[request.param])
    assert (done.status, done.err) == (0, "")
    out.with_name("told").write_text(done.out, encoding="utf-8")
    return out


def test_what_training_tells(run: Path) -> None:
    told = run.with_name("told").read_text("utf-8")
    test = json.loads((run / "test.json").read_text("utf-8"))
    value = test["test_nats_per_character"]
    assert f"\ntest: {value:.3f} nats per character, top-1 {test['test_top1_no_pad']:.1%}" in told
    assert f"{value:.3f} nats per character, {test['test_bits_per_byte']:.3f} bits per byte" in told
    assert f"    {len(PLAY):,} characters read\n" in told
    assert "headline" not in told
    for row in metrics(run):
        assert f"epoch {row['epoch']}: train {row['train_nll']:.3f}, val " in told
        assert row["train_nll"] == pytest.approx(row["val_nats_per_character"], rel=0.5)


def test_scores_are_of_the_text_whatever_the_tokens(run: Path) -> None:
    """Uniform probabilities give ln V for each token; sizes are those of the text."""
    done = call("evaluate", run, "--json", "--eval-tokens=0")
    found = json.loads(done.out)
    trained = load_run(run)
    corpus_end = PLAY[-len(PLAY) // 10 :]
    uniform = found["uniform"]
    size = len(corpus_end.encode()) / len(corpus_end)
    for score in (uniform, found["bigram"], found["model"]):
        per_byte = score["nats_per_character"] / math.log(2) / score["bits_per_byte"]
        assert per_byte == pytest.approx(size, rel=0.02)
    if not TOKENIZERS[trained.config.tokenizer]:
        V = trained.tokenizer.num_token_vals
        assert uniform["nats_per_character"] == pytest.approx(math.log(V))
    test = json.loads((run / "test.json").read_text("utf-8"))
    assert found["model"]["bits_per_byte"] == pytest.approx(test["test_bits_per_byte"])


def test_the_table_and_other_text(run: Path, tmp_path: Path) -> None:
    first, _, _, titles, model, *_ = call("evaluate", run).out.splitlines()
    assert first.endswith("windows, the test split of play.txt")
    assert titles.split() == ["a", "character", "bits", "a", "byte"]
    assert model.startswith("model ")
    other = tmp_path / "other.txt"
    other.write_text("KING:\nWhy not?\n", encoding="utf-8")
    done = call("evaluate", run, "--data", other)
    assert done.out.startswith("1 window, all of other.txt\n")
    call("evaluate", run, "--eval-tokens=-1").assert_refused("eval-tokens is -1, wanted 0 or above")
    call("evaluate", run, "--each").assert_refused("--each is for lines, and .*run was trained on")


def sampled(run: Path, *flags: str) -> Result:
    done = call("sample", run, "--seed=1", *flags)
    assert (done.status, done.err) == (0, "")
    return done


def test_samples_go_on_past_the_context(run: Path) -> None:
    tokenizer = load_run(run).tokenizer
    text = sampled(run, "--length=100", "--prompt=KING:\n").out
    assert text.startswith("KING:\n")
    assert len(tokenizer.encode([text])[0]) > 24
    assert len(text) <= 102 or tokenizer.kind == "bpe"  # bytes that are no text become one each
    assert text == sampled(run, "--length=100", "--prompt=KING:\n").out
    two = sampled(run, "--length=30", "-n", "2").out
    assert two.count("\n" + "-" * 20 + "\n") == 1


@pytest.mark.parametrize("steps", [1, 7, 12])
def test_a_resumed_run_is_the_same(
    play: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    corpus = load_corpus(play, text="running")
    settings: dict[str, Any] = {"text": "running", "batch_size": 4, "epochs": 2, "dropout": 0.2}
    trained(corpus, tmp_path / "whole", **settings)
    stopped = make(corpus, **settings)
    take_step = stopped._step

    def step(rows: Ids, is_last: bool) -> BatchLoss:
        told = take_step(rows, is_last)
        stopped.stop_signal = 2 if stopped.place.step == steps else 0
        return told

    monkeypatch.setattr(stopped, "_step", step)
    assert run_trainer(stopped, tmp_path / "part") == 2
    assert run_trainer(resumed(corpus, tmp_path / "part", **settings), tmp_path / "part") == 0
    assert left_behind(tmp_path / "part") == left_behind(tmp_path / "whole")


def test_it_can_be_looked_into(run: Path) -> None:
    done = call("inspect", run, "--text", "KING:\nWhy", "--print")
    assert done.status == 0
    call("inspect", run, "--text", "K").assert_refused("wanted at least two tokens")
    assert call("inspect", run, "--text", "KING: Why").status == 0
    assert '"text":"running"' in (run / "inspect.html").read_text("utf-8")


@pytest.mark.parametrize("flags", [[], ["--alphabet=article"]])
def test_a_text_of_one_line(tmp_path: Path, flags: list[str]) -> None:
    """So there is no newline that an empty prompt could stand for."""
    path, out = tmp_path / "line.txt", tmp_path / "run"
    path.write_text(PLAY.replace("\n", " "), encoding="utf-8")
    assert call("train", "--data", path, "--out", out, *FLAGS, *flags, "--quiet").status == 0
    assert call("sample", out, "--length=30").status == 0


def test_a_file_that_cannot_be_read_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "bytes.bin"
    path.write_bytes(b"a\xff" * 99)
    done = call("train", "--data", path, "--out", tmp_path / "run", *FLAGS)
    done.assert_refused(r"^teenygpt_np.train: error: \S*bytes\.bin, line 1: byte 0xff at offset 1")


def test_an_epoch_of_a_large_text_ends_sooner(play: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = call("train", "--data", play, "--out", out, *FLAGS, "--epoch-steps=2", "--quiet")
    assert done.status == 0
    assert [row["step"] for row in metrics(out)] == [2, 4]


def test_some_of_a_split_is_scored(play: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    call("train", "--data", play, "--out", out, *FLAGS, "--eval-tokens=60", "--quiet")
    told = call("evaluate", out).out.splitlines()[0]
    assert told.endswith("of them scored, spread over it")
    found, whole = (
        json.loads(call("evaluate", out, "--json", *flags).out)["model"]["nats_per_character"]
        for flags in ([], ["--eval-tokens=0"])
    )
    assert found != whole
    assert found == pytest.approx(whole, rel=0.2)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--num-tokens=5000"],
            r"of play\.txt has 1,044 tokens, wanted at least 25,001 for a batch of 4; a ",
        ),
        (["--batch-size=900"], "wanted at least 21,625 for a batch of 900; a smaller --num-tokens"),
        (["--split-on=***"], r"play\.txt has no line '\*\*\*', wanted one between two documents"),
        (["--tokenizer=bpe", "--vocab-size=4000"], "vocab-size is 4,000, and the text has only "),
        (["--tokenizer=bpe", "--vocab-size=100"], "vocab-size is 100, wanted 259 to 65,536"),
        (["--vocab-size=300"], "--vocab-size is for tokenizer bpe, and tokenizer is characters"),
        (["--tokenizer=bytes", "--alphabet=corpus"], "--alphabet is for tokenizer characters, and"),
        (["--tokenizer=words"], "invalid choice: 'words'"),
        (["--text=prose"], "invalid choice: 'prose'"),
    ],
)
def test_refused(play: Path, tmp_path: Path, flags: list[str], message: str) -> None:
    out = tmp_path / "run"
    call("train", "--data", play, "--out", out, *FLAGS, *flags).assert_refused(message)
    assert not out.exists()


def test_scores_of_an_untrained_model_are_those_of_its_ids() -> None:
    """A byte token of a character's middle is no character."""
    from teenygpt_np.text.bytes import ByteTokenizer

    characters, size = ByteTokenizer(running=True).sizes
    ids = np.frombuffer("Ómós".encode(), np.uint8)
    assert (characters[ids].sum(), size[ids].sum()) == (4, 6)
