"""`teenygpt_np.evaluate`: the scores of a run, as a table and as JSON."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import LINES, SMALL, call, tiny_run

from teenygpt_np.baselines import baselines
from teenygpt_np.run_directory import load_run
from teenygpt_np.scores import scores
from teenygpt_np.text.batches import Rows
from teenygpt_np.text.corpus import load_corpus

MEASURES = ["nll", "nll_no_pad", "top1", "top1_no_pad"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("evaluated"))


def evaluated(run: Path, *arguments: str | Path) -> dict[str, Any]:
    done = call("evaluate", run, "--json", *arguments)
    assert (done.status, done.err) == (0, "")
    assert done.out.count("\n") == 1
    return json.loads(done.out)


def by_hand(run: Path, data: Path, split: str) -> dict[str, dict[str, float]]:
    trained = load_run(run)
    corpus = load_corpus(data, given=trained.tokenizer, seed=trained.config.seed)
    train, rows = (corpus.rows(s, 24) for s in ("train", split))
    return {"model": scores(trained.model, rows), **baselines(train, rows)}


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_json(run: Path, split: str) -> None:
    found = evaluated(run, "--split", split)
    want = by_hand(run, run.parent / "lines.txt", split)
    lines = 48 if split == "train" else 6
    assert found == {"data": "lines.txt", "split": split, "lines": lines, **want}


def test_the_test_split_if_not_told_is_as_training_told(run: Path) -> None:
    found = evaluated(run)
    test = json.loads((run / "test.json").read_text(encoding="utf-8"))
    assert found["split"] == "test"
    assert {name: found["model"][name] for name in MEASURES} == {
        name: test[f"test_{name}"] for name in MEASURES
    }


def test_a_text_that_has_changed_is_split_otherwise(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    data = tmp_path / "lines.txt"
    data.write_text("a line more\n" + data.read_text(encoding="utf-8"), encoding="utf-8")
    call("evaluate", run).assert_refused(r"lines.txt has changed since .* was trained on it, so")
    assert call("evaluate", run, "--data", data).status == 0


def test_the_table(run: Path) -> None:
    done = call("evaluate", run)
    assert (done.status, done.err) == (0, "")
    rows = done.out.splitlines()
    assert rows[0] == "6 lines, the test split of lines.txt"
    assert rows[3].index("padding not counted") < rows[3].index("padding counted")
    want = by_hand(run, run.parent / "lines.txt", "test")
    assert [row.split() for row in rows[4:]] == [
        [
            name,
            f"{m['nll_no_pad']:.2f}",
            f"{m['top1_no_pad']:.1%}",
            f"{m['nll']:.2f}",
            f"{m['top1']:.1%}",
            f"{m['nats_per_character']:.3f}",
            f"{m['bits_per_byte']:.3f}",
        ]
        for name, m in want.items()
    ]


def test_other_text(run: Path, tmp_path: Path) -> None:
    """It is read with the run's alphabet, and the baselines are fitted on it."""
    other = tmp_path / "other.csv"
    rows = [f"{i},\u00c9t\u00e9 {line}" for i, line in enumerate(LINES[:30])]
    other.write_text("\n".join(["n,title", *rows]), encoding="utf-8")
    plain = tmp_path / "plain.txt"
    plain.write_text("\n".join(f"ete {line}" for line in LINES[:30]), encoding="utf-8")
    found = evaluated(run, "--data", other, "--column", "title", "--split", "test")
    want = by_hand(run, plain, "test")
    assert found == {"data": "other.csv", "split": "test", "lines": 3, **want}


@pytest.mark.parametrize("count", [1, 7, 70])
def test_all_lines_of_a_file_in_their_order(run: Path, tmp_path: Path, count: int) -> None:
    path = tmp_path / "some.txt"
    lines = (LINES * 2)[:count]
    path.write_text("\n".join(lines), encoding="utf-8")
    trained = load_run(run)
    rows = Rows.of(lines, trained.tokenizer, 24)
    found = evaluated(run, "--data", path, "--each")
    each = found.pop("each")
    assert found == {
        "data": "some.txt",
        "split": "all",
        "lines": count,
        "model": scores(trained.model, rows),
    }
    assert np.mean(each) == pytest.approx(found["model"]["nll_no_pad"])
    printed = call("evaluate", run, "--data", path, "--each").out.splitlines()
    assert printed == [f"{nats:.2f}\t{line}" for nats, line in zip(each, lines, strict=True)]
    assert "all of some.txt" in call("evaluate", run, "--data", path).out.splitlines()[0]


def test_lines_that_are_not_scored_are_told(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"title\nking wins\n\n?\n{'a' * 24}\n", encoding="utf-8")
    done = call("evaluate", run, "--data", path, "--each")
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["king wins", "a" * 24]
    told, cut = done.err.splitlines()
    assert told.startswith("4 lines read from column 'title'; 2 empty, dropped")
    assert cut == "lines longer than 23 tokens, scored without the rest: 1"


def test_a_score_per_line_of_a_split(run: Path) -> None:
    found = evaluated(run, "--each", "--split=val")
    assert len(found["each"]) == found["lines"] == 6
    assert np.mean(found["each"]) == pytest.approx(found["model"]["nll_no_pad"])


def test_a_file_of_nothing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("123\n\n", encoding="utf-8")
    done = call("evaluate", run, "--data", tmp_path / "a.txt")
    done.assert_refused(r"a\.txt has no text: nothing left of 2 lines read")


def test_a_run_with_an_alphabet_of_its_own(tmp_path: Path) -> None:
    data, out = tmp_path / "t.txt", tmp_path / "out"
    data.write_text("".join(f"\u00c9{line}?\n" for line in LINES), encoding="utf-8")
    flags = ["--alphabet=corpus", "--seed=4", "--max-steps=1", "--quiet"]
    assert call("train", "--data", data, "--out", out, *SMALL, *flags).status == 0
    found = evaluated(out)
    test = json.loads((out / "test.json").read_text(encoding="utf-8"))
    assert [found["model"][name] for name in MEASURES] == [test[f"test_{m}"] for m in MEASURES]
    assert found["uniform"]["nll"] == pytest.approx(
        23 * math.log(load_run(out).tokenizer.num_token_vals)
    )


def test_the_grammar_s_own_figure_where_it_is_known(run: Path, tmp_path: Path) -> None:
    splits = {}
    for i, name in enumerate(("train", "val", "test")):
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(LINES[i * 20 : i * 20 + 20]), encoding="utf-8")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        splits[name] = {"sha256": digest, "nats_per_headline": 10.5 + i}
    (tmp_path / "entropy.json").write_text(json.dumps({"splits": splits}), encoding="utf-8")
    found = evaluated(run, "--data", tmp_path, "--split", "val")
    assert found["grammar"] == {"nll_no_pad": 11.5}
    row = call("evaluate", run, "--data", tmp_path).out.splitlines()[-1]
    assert row.split() == ["grammar", "12.50"]


BAD = [
    (["--split=all"], "argument --split: invalid choice: 'all' .*train.*val.*test"),
    (["--data=nowhere"], r"nowhere is not there; wanted a directory with train\.txt"),
    (
        ["--column=a"],
        r"column 'a' is for \.csv, \.tsv, \.jsonl and \.parquet files, and .*lines\.txt",
    ),
    (["--threads=0"], "--threads is 0, wanted 1..1,024"),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
]


@pytest.mark.parametrize(("flags", "message"), BAD)
def test_refused(run: Path, flags: list[str], message: str) -> None:
    call("evaluate", run, *flags).assert_refused(message)


def test_no_run(tmp_path: Path) -> None:
    call("evaluate", tmp_path).assert_refused(r"has no best\.npz; wanted a run directory")
    call("evaluate").assert_refused("the following arguments are required: RUN")
