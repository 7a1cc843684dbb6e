"""Texts with labels: how they are read and split, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from teenygpt_np.errors import InputError
from teenygpt_np.text import saved
from teenygpt_np.text.corpus import Corpus, corpus_hash, load_corpus
from teenygpt_np.text.labels import Labelled

ROWS = [(f"text number {i}", "even" if i % 2 == 0 else "odd") for i in range(40)]


def table(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("title,kind\n" + "".join(f'"{t}",{k}\n' for t, k in rows), encoding="utf-8")
    return path


def load(path: Path) -> Corpus:
    return load_corpus(path, text="labels", columns=("title", "kind"))


def told(split: Labelled) -> list[tuple[str, str]]:
    names = [split.classes[n] for n in split.numbers["label"]]
    return list(zip(split.texts(), names, strict=True))


def labelled(corpus: Corpus, name: str) -> Labelled:
    split = corpus.splits[name]
    assert isinstance(split, Labelled)
    return split


def test_each_text_keeps_its_label(tmp_path: Path) -> None:
    corpus = load(table(tmp_path / "a.csv", ROWS))
    splits = {name: labelled(corpus, name) for name in ("train", "val", "test")}
    assert [len(split) for split in splits.values()] == [32, 4, 4]
    assert sorted(row for split in splits.values() for row in told(split)) == sorted(ROWS)
    assert all(split.classes == ("even", "odd") for split in splits.values())
    assert told(splits["train"].cut(99).select(np.array([3, 1]))) == [
        told(splits["train"])[3],
        told(splits["train"])[1],
    ]


def test_the_tokenizer_knows_the_texts_and_not_the_labels(tmp_path: Path) -> None:
    rows = [(text, label.upper()) for text, label in ROWS]
    tokenizer = load(table(tmp_path / "a.csv", rows)).tokenizer
    assert not set("EVODD") & set(str(tokenizer.description()["characters"]))
    assert tokenizer.fold("number 7").text == "number 7"


def test_a_repeated_text_has_its_first_label(tmp_path: Path) -> None:
    corpus = load(table(tmp_path / "a.csv", [*ROWS, ("text number 3", "even")]))
    assert corpus.report.duplicates == 1
    rows = [row for name in ("train", "val", "test") for row in told(labelled(corpus, name))]
    assert sorted(rows) == sorted(ROWS)


def test_labels_are_part_of_the_hash(tmp_path: Path) -> None:
    before = corpus_hash(load(table(tmp_path / "a.csv", ROWS)))
    other = [(t, "odd" if t.endswith(" 8") else k) for t, k in ROWS]
    assert corpus_hash(load(table(tmp_path / "a.csv", other))) != before


def test_tables_of_a_directory(tmp_path: Path) -> None:
    for name, rows in (("train", ROWS[:30]), ("val", ROWS[30:35]), ("test", ROWS[35:])):
        table(tmp_path / f"{name}.csv", rows)
    corpus = load(tmp_path)
    assert told(labelled(corpus, "val")) == ROWS[30:35]
    table(tmp_path / "test.csv", [("text", "prime")])
    with pytest.raises(InputError, match="has the label 'prime', and none of"):
        load(tmp_path)
    (tmp_path / "test.csv").unlink()
    with pytest.raises(InputError, match=r"has no table test\.csv, \.tsv, \.jsonl or \.parquet"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"a\.csv is empty|0 texts read"),
        (ROWS[:6], "has 6 distinct texts with a label, wanted at least 10"),
        ([(t, "same") for t, _ in ROWS], "has the one label 'same', wanted 2"),
        ([(t, "") for t, _ in ROWS], "distinct texts|no text"),
        ([(t, t) for t, _ in ROWS], "and none of the training split has it"),
    ],
)
def test_hostile_tables(tmp_path: Path, rows: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(table(tmp_path / "a.csv", rows))


def test_a_large_table_is_read_as_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "a.csv", ROWS)
    small = load(path)
    monkeypatch.setattr(saved, "LARGE", 1)
    columns = ("title", "kind")
    large = load_corpus(path, folder=tmp_path / "runs", text="labels", columns=columns)
    assert told(labelled(large, "train")) == told(labelled(small, "train"))


def test_columns_that_are_wanted(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ROWS)
    with pytest.raises(InputError, match="--column is given 0 times, wanted once with --label"):
        load_corpus(path, text="labels", columns=("kind",))
    with pytest.raises(InputError, match=r"has no column 'label'; it has 'title', 'kind'"):
        load_corpus(path, text="labels", columns=("title", "label"))
