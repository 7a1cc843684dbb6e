"""Runs that learn labels, from scratch or on a base, and `classify`."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from running import LINES, SMALL, after_step, call, left_behind, tiny_run
from trainers import metrics

import minigrad as mg
from teenygpt_np import TeenyGPT, checkpoint
from teenygpt_np.config import Config
from teenygpt_np.model.classifier import Classifier
from teenygpt_np.run_directory import load_run
from teenygpt_np.text.corpus import load_corpus
from teenygpt_np.text.labels import Labelled
from teenygpt_np.training.objectives import objective_of

WORDS = sorted({line.split()[0] for line in LINES})  # the class of a line is its first word


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "lines.csv"
    rows = "".join(f"{line},the {line.split()[0]}\n" for line in LINES)
    path.write_text(f"text,label\n{rows}", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {"next": tiny_run(tmp_path_factory.mktemp("next"))}
    return found | {"masked": tiny_run(tmp_path_factory.mktemp("masked"), "--objective=masked")}


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    flags = [f"--data={table}", "--column=text", "--label=label", f"--out={out}", "--dropout=0.1"]
    assert call("train", *flags, *SMALL, "--epochs=12", "--lr=0.05", "--quiet").status == 0
    return out


def flags_of(table: Path, out: Path) -> list[str]:
    return [f"--data={table}", "--column=text", "--label=label", f"--out={out}"]


# -- the model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("both_ways", [False, True])
def test_padding_changes_nothing(both_ways: bool, rng: np.random.Generator) -> None:
    body = TeenyGPT(12, 7, 8, 2, 2, 0.0, 2, dtype=np.float64)
    model = Classifier(body, 3, both_ways=both_ways, rng=rng, dtype=np.float64)
    ids, lengths = rng.integers(0, 7, (3, 12)), np.array([5, 12, 1])
    whole = model(ids, lengths).data
    for row, length in enumerate(lengths):
        alone = model(ids[row : row + 1, :length], lengths[row : row + 1]).data[0]
        np.testing.assert_allclose(alone, whole[row], atol=1e-12)


@pytest.mark.parametrize("both_ways", [False, True])
def test_it_is_the_mean_of_what_the_body_makes(both_ways: bool, rng: np.random.Generator) -> None:
    body = TeenyGPT(12, 7, 8, 2, 2, 0.0, 2, dtype=np.float64)
    model = Classifier(body, 3, both_ways=both_ways, rng=rng, dtype=np.float64)
    ids, lengths = rng.integers(0, 7, (1, 9)), np.array([6])
    hidden = body.hidden(ids, lengths=lengths if both_ways else None).data[0, :6].mean(axis=0)
    want = hidden @ model.head.weight.data.T + model.head.bias.data
    np.testing.assert_allclose(model(ids, lengths).data[0], want, atol=1e-12)
    mg.cross_entropy(model(ids, lengths), np.array([2])).backward()
    assert all(np.asarray(p.grad).any() for p in model.head.parameters())


def test_recall_is_of_a_class_s_own_texts(table: Path) -> None:
    """A model that takes all for the first class finds all of that, and none of another."""
    corpus = load_corpus(table, text="labels", columns=("text", "label"))
    config = Config(text="labels", objective="labels", num_tokens=24)
    split = corpus.rows("train", 24)
    model: Any = SimpleNamespace(
        evaluating=contextlib.nullcontext,
        log_probs=lambda x, _: mg.Tensor(np.log([[0.7, 0.1, 0.1, 0.1]]).repeat(len(x), axis=0)),
    )
    scores = objective_of(config, corpus.tokenizer).scores(model, split)
    recalls = [scores[f"recall of the {word}"] for word in WORDS]
    assert recalls == [1.0, 0.0, 0.0, 0.0]
    assert 0 < scores["accuracy"] < 1


# -- runs ------------------------------------------------------------------------------------------


def test_it_learns_the_first_word(run: Path) -> None:
    records = metrics(run)
    assert records[-1]["val_accuracy"] > 0.6  # 0.25 by chance
    assert records[-1]["val_label_nats"] < records[0]["val_label_nats"] / 2
    config = json.loads((run / "config.json").read_text("utf-8"))["config"]
    assert config["classes"] == [f"the {word}" for word in WORDS]


def test_evaluate_tells_accuracy_and_recall(run: Path) -> None:
    found = json.loads(call("evaluate", run, "--json").out)
    assert {"label_nats", "accuracy"} < found["model"].keys()
    assert 0 < found["majority"]["accuracy"] < 1
    done = call("evaluate", run)
    assert (done.status, done.err) == (0, "")
    assert "the share of texts whose label is told right" in done.out
    assert "recall of the " in done.out


def test_another_table_is_scored_by_the_names_of_its_labels(
    run: Path, table: Path, tmp_path: Path
) -> None:
    """Some of the classes, in another order, in other columns; and in a directory of tables."""
    lines = [line for line in LINES if line.startswith(("queen", "city"))]
    rows = "".join(f"the {line.split()[0]}\t{line}\n" for line in lines)
    (tmp_path / "others.tsv").write_text(f"kind\tline\n{rows}", "utf-8")
    flags = ["--column=line", "--label=kind", "--json"]
    done = call("evaluate", run, "--data", tmp_path / "others.tsv", *flags)
    assert (done.status, done.err) == (0, "")
    (tmp_path / "lines.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    told = call("classify", run, tmp_path / "lines.txt").out.splitlines()
    right = [
        t.split("\t")[0] == f"the {line.split()[0]}" for t, line in zip(told, lines, strict=True)
    ]
    assert json.loads(done.out)["model"]["accuracy"] == pytest.approx(np.mean(right))
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.tsv").write_text(f"kind\tline\n{rows}", "utf-8")
    of_split = call("evaluate", run, "--data", tmp_path, *flags)
    assert json.loads(of_split.out)["model"] == json.loads(done.out)["model"]
    whole = call("evaluate", run, "--data", table, "--json")  # the columns of its training
    assert json.loads(whole.out)["lines"] == len(LINES)
    (tmp_path / "new.csv").write_text("text,label\nking wins it,a lion\n", "utf-8")
    done = call("evaluate", run, "--data", tmp_path / "new.csv")
    done.assert_refused("the label 'a lion', wanted one that the model knows: 'the city', 'the")
    (tmp_path / "new.csv").write_text("text,label\nking wins it,\n", "utf-8")
    done = call("evaluate", run, "--data", tmp_path / "new.csv")
    done.assert_refused("new.csv has no text with a label: nothing left of 1 ")


def test_lines_are_labelled_in_their_order(run: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"{line}\n" for line in LINES), "utf-8")
    done = call("classify", run, tmp_path / "lines.txt")
    assert (done.status, done.err) == (0, "")
    told = [line.split("\t") for line in done.out.splitlines()]
    assert [line for _, _, line in told] == LINES
    assert np.mean([label == f"the {line.split()[0]}" for label, _, line in told]) > 0.6
    done = call("classify", run, tmp_path / "lines.txt", "--all")
    header, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert header == [*(f"the {word}" for word in WORDS), "text"]
    for (label, p, _), (*shares, _) in zip(told, rows, strict=True):
        assert sum(map(float, shares)) == pytest.approx(1, abs=1e-3)
        assert max(shares) == p == shares[header.index(label)]


def test_a_table_and_strange_lines(run: Path, table: Path, tmp_path: Path) -> None:
    done = call("classify", run, table, "--column=text")
    assert len(done.out.splitlines()) == len(LINES)
    (tmp_path / "odd.txt").write_text("\n\u4e2d\n" + "king " * 99 + "\n", "utf-8")
    done = call("classify", run, tmp_path / "odd.txt")
    assert (done.status, len(done.out.splitlines())) == (0, 3)


@pytest.mark.parametrize(
    ("base", "way"), [*itertools.product(["next", "masked"], [[], ["--lora-rank=2"]])]
)
def test_a_head_on_a_base(
    bases: dict[str, Path], table: Path, tmp_path: Path, base: str, way: list[str]
) -> None:
    out = tmp_path / "run"
    flags = [*flags_of(table, out), *way, "--epochs=3", "--lr=0.02"]
    done = call("finetune", bases[base], *flags)
    assert (done.status, done.err) == (0, "")
    assert metrics(out)[-1]["val_label_nats"] < np.log(4)
    names = checkpoint.load(out / "best.npz")[0]
    assert ("model/body.embedding.weight" in names) == (not way)
    assert "model/head.weight" in names
    assert call("evaluate", out).status == 0
    assert call("classify", out, table, "--column=text").status == 0
    if way:
        assert call("merge", out, "--out", tmp_path / "merged").status == 0
        ours, merged = (
            json.loads(call("evaluate", o, "--json").out)["model"]
            for o in (out, tmp_path / "merged")
        )
        assert ours == pytest.approx(merged, rel=1e-4)


def test_lines_are_read_as_in_training_whatever_the_base(table: Path, tmp_path: Path) -> None:
    """A tokenizer of running text has texts without begin and end; one with a label has both."""
    base = tiny_run(tmp_path, "--text=running")
    out = tmp_path / "kinds"
    done = call("finetune", base, *flags_of(table, out), "--epochs=1", "--quiet")
    assert (done.status, done.err) == (0, "")
    run = load_run(out)
    corpus = load_corpus(table, run.tokenizer, text="labels", columns=("text", "label"))
    split = corpus.rows("test", run.config.num_tokens)
    assert isinstance(split, Labelled)
    batch = split.batch(split.in_order)
    with mg.no_grad():
        want = np.exp(run.model.log_probs(batch.ids, batch.counted.sum(axis=1) + 1).data)
    (tmp_path / "lines.txt").write_text("".join(f"{text}\n" for text in split.texts()), "utf-8")
    rows = call("classify", out, tmp_path / "lines.txt", "--all").out.splitlines()[1:]
    told = [list(map(float, row.split("\t")[:-1])) for row in rows]
    np.testing.assert_allclose(told, want, atol=6e-5)


def test_the_head_alone(bases: dict[str, Path], table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = [*flags_of(table, out), "--train-only=head", "--epochs=1", "--quiet"]
    assert call("finetune", bases["next"], *flags).status == 0
    names = {name for name in checkpoint.load(out / "best.npz")[0] if name.startswith("model/")}
    assert names == {"model/head.weight", "model/head.bias"}


@pytest.mark.parametrize("way", ["scratch", "lora"])
def test_it_is_resumed_to_the_bit(
    bases: dict[str, Path], table: Path, tmp_path: Path, way: str
) -> None:
    begin: list[str | Path] = ["train", *SMALL]
    if way == "lora":
        begin = ["finetune", bases["masked"], "--lora-rank=1"]
    for name in ("whole", "parts"):
        flags = [*begin[1:], *flags_of(table, tmp_path / name), "--epochs=2", "--dropout=0.2"]
        if name == "whole":
            assert call(str(begin[0]), *flags).status == 0
        else:
            with after_step(4, lambda: signal.raise_signal(signal.SIGTERM)):
                assert call(str(begin[0]), *flags).status == 128 + signal.SIGTERM
    assert call("train", "--resume", tmp_path / "parts").status == 0
    ours, whole = left_behind(tmp_path / "parts"), left_behind(tmp_path / "whole")
    assert [name for name in whole if ours[name] != whole[name]] == []


def test_a_text_of_several_lines_is_told_in_one(run: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text('text\n"king\twins\nit \x1b[31m"\nqueen\n', "utf-8")
    done = call("classify", run, tmp_path / "odd.csv")
    told = [line.split("\t") for line in done.out.splitlines()]
    assert [text for _, _, text in told] == ["king wins it  [31m", "queen"]


@pytest.mark.parametrize("label", ['"a\nb"', '"a\tb"', "a\x1bb"])
def test_labels_are_printable(tmp_path: Path, label: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("text,label\n" + "".join(f"{line},{label}\n" for line in LINES), "utf-8")
    done = call("train", *flags_of(path, tmp_path / "run"), *SMALL)
    done.assert_refused(r"a label is 'a\\.*b', wanted printable characters only")


def test_what_cannot_be_is_refused(
    run: Path, bases: dict[str, Path], table: Path, tmp_path: Path
) -> None:
    call("sample", run).assert_refused("tells the labels of texts, as teenygpt_np.classify does")
    call("classify", bases["next"], table).assert_refused("tells no labels; wanted a run that was")
    call("classify", run, tmp_path / "none.txt").assert_refused("none.txt is not there")
    done = call("train", "--data", table, "--label=label", "--out", tmp_path / "run", *SMALL)
    done.assert_refused("--column is given 0 times, wanted once with --label")
    done = call("train", "--label=label", "--column=text", "--out", tmp_path / "run", *SMALL)
    done.assert_refused("wanted a table|has no table")
    done = call("train", "--objective=labels", "--out", tmp_path / "run", *SMALL)
    done.assert_refused("argument --objective: invalid choice: 'labels'")
    assert not (tmp_path / "run").exists()
