"""Runs on pairs: trained, resumed to the bit, sampled, scored; and what is refused of them."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import LINES, SMALL, Result, after_step, call, left_behind

import minigrad as mg
from teenygpt_np.config import PRESETS, make_config
from teenygpt_np.model.building import build_model
from teenygpt_np.run_directory import load_run
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.edits import edits
from teenygpt_np.text.tuples import Pairs
from teenygpt_np.training.objectives import objective_of, pairs

FLAGS = [*SMALL, "--dropout=0.2", "--epochs=2"]


def reversed_lines() -> list[tuple[str, str]]:
    return [(line, line[::-1]) for line in LINES]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in reversed_lines()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(corpus: Path) -> Path:
    done = call("train", "--pairs", corpus, "--out", corpus.parent / "run", *FLAGS)
    assert (done.status, done.err) == (0, "")
    (corpus.parent / "told.txt").write_text(done.out, encoding="utf-8")
    return corpus.parent / "run"


def test_what_is_told(run: Path) -> None:
    told = (run.parent / "told.txt").read_text(encoding="utf-8")
    assert "48 pairs to learn from, 6 to validate, 6 to test" in told
    assert "nats a target   exact match\n    uniform probabilities" in told
    assert "\n    the source itself                                              0.0%\n" in told
    assert ", exact match 0.0%, 0:" in told
    assert "edits per character\n\nten sources, and what it writes from them:\n" in told
    assert " -> " in (run / "samples" / "epoch_000.txt").read_text(encoding="utf-8")
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))["config"]
    assert (config["text"], config["objective"]) == ("pairs", "pairs")
    assert "val_exact_match" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("step", [1, 3, 5])
def test_resuming_gives_the_same_bits(corpus: Path, run: Path, tmp_path: Path, step: int) -> None:
    out = tmp_path / "run"
    with after_step(step, lambda: signal.raise_signal(signal.SIGTERM)):
        done = call("train", "--pairs", corpus, "--out", out, *FLAGS)
    assert done.status == 128 + signal.SIGTERM
    assert call("train", "--resume", out, "--data", corpus).status == 0
    assert left_behind(out) == left_behind(run)


def test_standard_input_is_the_same_run(
    corpus: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(corpus.read_bytes()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    out = tmp_path / "run"
    assert call("train", "--pairs=-", "--out", out, *FLAGS, "--quiet").status == 0
    assert left_behind(out)["metrics"] == left_behind(run)["metrics"]
    assert call("train", "--resume", out, "--epochs=3", "--quiet").status == 0


def test_sample_writes_targets(run: Path) -> None:
    """The likeliest by default, always the same; drawn ones as many as wanted."""
    found = load_run(run)
    ids = found.tokenizer.row("king wins rain")
    begin, end = found.tokenizer.begin, found.tokenizer.end
    row = found.model.sample(ids[None], np.array([len(ids)]), begin=begin, end=end, temperature=0)
    want = found.tokenizer.decode(row[0]) + "\n"
    assert call("sample", run, "--prompt", " king wins  rain ").out == want
    done = call("sample", run, "--prompt=king wins rain", "--temperature=1", "-n3", "--seed=1")
    assert (done.status, len(done.out.splitlines())) == (0, 3)
    assert len(set(done.out.splitlines())) == 3
    short = call("sample", run, "--prompt=king wins rain", "--length=2")
    assert short.out == want[:2] + "\n"
    left = call("sample", run, "--prompt=king wins 9")
    assert left.err.startswith("read as spaces, because the model does not know them: 9")


def test_a_line_in_a_target_out(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("king wins rain\n\n:help\ncity loses it\n"))
    done = call("sample", run, "--interactive")
    assert done.status == 0
    first, *others = done.out.splitlines()
    assert first + "\n" == call("sample", run, "--prompt=king wins rain").out
    assert others[0] == "A line is a source, for which the model writes the target."
    assert others[-1] + "\n" == call("sample", run, "--prompt=city loses it").out
    assert done.err.startswith("the source is empty")


@pytest.mark.parametrize("prompt", ["", " ", "a" * 24])
def test_sources_that_cannot_be_used(run: Path, prompt: str) -> None:
    wanted = "the source is empty" if len(prompt) < 2 else "has 24 tokens, wanted at most 23"
    call("sample", run, f"--prompt={prompt}").assert_refused(wanted)


def test_the_longest_source_is_read_as_in_training(run: Path) -> None:
    assert call("sample", run, f"--prompt={'a' * 23}").status == 0


def test_evaluate(run: Path, corpus: Path) -> None:
    told = json.loads(call("evaluate", run, "--json", "--split=val").out)
    metrics = [
        json.loads(line)
        for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    best = min(metrics, key=lambda record: record["val_target_nats"])
    assert told["model"] == {
        name.removeprefix("val_"): value for name, value in best.items() if "val_" in name
    }
    assert told["copy"].keys() == {"exact_match", "edits"}
    assert told["uniform"].keys() == {"target_nats", "nats_per_character"}
    done = call("evaluate", run, "--data", corpus)
    assert done.out.startswith("60 pairs, all of pairs.tsv\nnats, and how near 60 targets are")
    call("evaluate", run, "--each").assert_refused("--each is for lines, and .* on pairs")


def test_scores_by_hand(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On pairs one by one, and of targets written on some of them."""
    found = load_run(run)
    texts = [(line, line[::-1][: 2 + i]) for i, line in enumerate(LINES[:10])]
    split = split_of(texts, found.tokenizer)
    monkeypatch.setattr(pairs, "WRITTEN", 4)
    objective = objective_of(found.config, found.tokenizer)
    scores = objective.scores(found.model, split)
    nats, written = [], []
    for source, target in texts:
        s, t = found.tokenizer.row(source)[None, :24], found.tokenizer.row(target)[None, :24]
        length = np.array([s.shape[1]])
        with mg.no_grad():
            nats.append(found.model.loss(s, length, t).item())
        begin, end = found.tokenizer.begin, found.tokenizer.end
        ids = found.model.sample(s, length, begin=begin, end=end, temperature=0)
        written.append((found.tokenizer.decode(ids[0]), target))
    some = written[::3]
    characters = sum(len(target) + 1 for _, target in written)
    assert scores == pytest.approx(
        {
            "target_nats": np.mean(nats),
            "nats_per_character": sum(nats) / characters,
            "exact_match": sum(a == b for a, b in some) / 4,
            "edits": sum(edits(a, b) for a, b in some) / sum(len(b) for _, b in some),
            "pairs_written": 4,
        },
        rel=1e-5,
    )
    loss = objective.loss(
        found.model, objective.batch(split, split.in_order, np.random.default_rng(0))
    )
    assert loss.units == 10
    assert loss.nats == pytest.approx(sum(nats), rel=1e-5)
    assert loss.minimized.item() == pytest.approx(np.mean(nats), rel=1e-5)


def split_of(texts: list[tuple[str, str]], tokenizer: Any) -> Pairs:
    flat = [tokenizer.row(text) for pair in texts for text in pair]
    lengths = np.array([len(row) for row in flat])
    ids = np.concatenate(flat).astype(tokenizer.dtype)
    return Pairs.of_ids(ids, lengths, 2, tokenizer).cut(24)


def test_copying_the_source_as_a_baseline() -> None:
    tokenizer = CharacterTokenizer("abc")
    config = make_config("tiny", text="pairs", objective="pairs", num_tokens=24)
    split = split_of([("ab", "ab"), ("ab", "ba"), ("abc", "ac"), ("a", "bbb")], tokenizer)
    found = objective_of(config, tokenizer).baselines(split, split)
    assert found["copy"] == {"exact_match": 0.25, "edits": (0 + 2 + 1 + 3) / 9}
    assert found["uniform"]["target_nats"] == pytest.approx(np.log(5) * (3 + 3 + 3 + 4) / 4)


def test_it_learns(tmp_path: Path) -> None:
    """To put letters in another place: nearly all within a few seconds."""
    rng = np.random.default_rng(0)
    words = {"".join(rng.choice(list("abcd"), 5)) for _ in range(300)}
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{w}\t{w[2:] + w[:2]}\n" for w in sorted(words)), encoding="utf-8")
    flags = ["--preset=tiny", "--num-emb=32", "--num-heads=4", "--num-tokens=8", "--dropout=0"]
    flags += ["--epochs=16", "--batch-size=16", "--quiet"]
    assert call("train", "--pairs", path, "--out", tmp_path / "run", *flags).status == 0
    test = json.loads((tmp_path / "run" / "test.json").read_text(encoding="utf-8"))
    assert test["test_exact_match"] > 0.8
    assert test["test_edits"] < 0.1


def test_finetuning_goes_on_with_other_pairs(run: Path, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    done = call("finetune", run, "--data", corpus, "--out", out, "--max-steps=2", "--quiet")
    assert (done.status, done.err) == (0, "")
    assert call("sample", out, "--prompt=king wins").status == 0
    done = call("finetune", run, "--data", corpus, "--lora-rank=2", "--out", tmp_path / "lora")
    done.assert_refused("--lora-rank is 2, wanted 0 with pairs|lora_rank is 2, wanted 0 with pairs")


def refused(corpus: Path, out: Path, *flags: str | Path) -> Result:
    before = sorted(corpus.parent.rglob("*"))
    done = call("train", "--out", out, *SMALL, *flags)
    assert not out.exists()
    assert sorted(corpus.parent.rglob("*")) == before
    return done


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mixer=gru"], "mixer is gru, wanted attention with pairs"),
        (["--mixer=attention,mamba"], "mixer is attention,mamba, wanted attention with pairs"),
        (["--experts=2"], "--experts is 2, wanted 1 with pairs"),
        (["--positions=none"], "--positions is none, wanted learned with pairs"),
        (["--objective=masked"], "--objective can't be given with --pairs, which says it already"),
        (["--text=lines"], "--text can't be given with --pairs, which says it already"),
        (["--data=a.txt"], "--pairs can't be given with --data"),
        (["--split-on=x"], "--split-on is for --text running"),
        (["--column=a"], "--column is given once, wanted twice with pairs"),
        (
            ["--batch-size=99"],
            "has 48 pairs, wanted at least 99 for a batch of 99; a smaller --batch-size",
        ),
    ],
)
def test_refused(corpus: Path, tmp_path: Path, flags: list[str], message: str) -> None:
    refused(corpus, tmp_path / "run", "--pairs", corpus, *flags).assert_refused(message)


def test_refused_without_pairs(corpus: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for flag in ("--objective", "--text"):
        done = refused(corpus, out, "--data", corpus, f"{flag}=pairs")
        done.assert_refused(f"argument {flag}: invalid choice: 'pairs'")
    done = call("train", "--resume", run, "--pairs", corpus)
    done.assert_refused("--pairs can't be given with --resume; --data says where its text is now")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b\n" * 50, "line 1: no tab, wanted a source, a tab and a target"),
        (b"a\t\n" * 50, "line 1: no target"),
        (b"a\tb\tc\n" * 50, "line 1: 2 tabs"),
        (b"a\tb\n", "has 1 distinct source in its pairs, wanted at least 10"),
        (bytes(range(256)) * 9, "wanted a source, a tab and a target|is not utf-8"),
        (b"", "is empty, or has only line ends; wanted a text"),
    ],
)
@pytest.mark.parametrize("piped", [False, True])
def test_hostile_pairs_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str, piped: bool
) -> None:
    path = tmp_path / "data" / "a.tsv"
    path.parent.mkdir()
    path.write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    refused(path, tmp_path / "run", f"--pairs={'-' if piped else path}").assert_refused(message)


def test_every_preset_is_built() -> None:
    sizes = {"num_tokens": 8, "num_emb": 8, "num_heads": 2, "num_neurons": 1, "num_blocks": 2}
    for preset in PRESETS:
        wanted = {"text": "pairs", "objective": "pairs", "mixer": "attention"}
        model = build_model(make_config(preset, **wanted, **sizes), 9, np.random.default_rng(0))
        assert len(model.decoder_blocks) == len(model.encoder_blocks) == 2
