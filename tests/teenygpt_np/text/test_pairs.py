"""Pairs of a source and a target: read, in splits that share no source, and in batches."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.errors import InputError
from teenygpt_np.text import headlines, saved
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import Corpus, corpus_hash, load_corpus, read_whole
from teenygpt_np.text.tuples import Pairs, Tuples

PAIRS = [(f"Line {a}{b} of many", f"{b}{a}") for a in "abcdef" for b in "abcde"]
LETTERS = CharacterTokenizer("abc")


def lines(pairs: list[tuple[str, str]]) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path, **settings: Any) -> Corpus:
    return load_corpus(path, text="pairs", **settings)


def pairs_of(corpus: Corpus, name: str) -> list[tuple[str, str]]:
    split = corpus.splits[name]
    assert isinstance(split, Pairs)
    return split.texts()


def test_each_pair_is_in_one_split(tmp_path: Path) -> None:
    """In the corpus's own characters, and shuffled by the seed."""
    path = written(tmp_path / "a.tsv", lines(PAIRS))
    found = [load(path, seed=seed) for seed in (0, 0, 1)]
    every = [[pairs_of(corpus, name) for name in corpus.splits] for corpus in found]
    assert [len(pairs) for pairs in every[0]] == [24, 3, 3]
    assert sorted(pair for pairs in every[0] for pair in pairs) == sorted(PAIRS)
    assert every[0] == every[1] != every[2]
    assert str(found[0].report) == "30 pairs read"


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 3)), max_size=60), st.integers(0, 9))
def test_no_source_is_in_two_splits(tmp_path_factory: Any, more: Any, seed: int) -> None:
    every = [(f"source {n}", "x") for n in range(12)]
    every += [(f"source {a}", "xyzw"[b]) for a, b in more]
    path = written(tmp_path_factory.mktemp("pairs") / "a.tsv", lines(every))
    corpus = load(path, seed=seed)
    found = {name: pairs_of(corpus, name) for name in corpus.splits}
    assert sorted(itertools.chain(*found.values())) == sorted(set(every))
    sources = [{source for source, _ in pairs} for pairs in found.values()]
    assert sum(map(len, sources)) == len({source for source, _ in every})
    tenth = len({source for source, _ in every}) // 10
    assert [len(some) for some in sources[1:]] == [tenth, tenth]
    assert corpus.report.duplicates == len(every) - len(set(every))


def test_the_same_splits_in_every_process(tmp_path: Path) -> None:
    """Python's hashes of texts differ between processes."""
    path = written(tmp_path / "a.tsv", lines(PAIRS))
    code = (
        "import sys; from teenygpt_np.text.corpus import *; "
        "print(corpus_hash(load_corpus(Path(sys.argv[1]), text='pairs')))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, path],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_directory_s_splits_stay(tmp_path: Path) -> None:
    parts = {"train": PAIRS[:20] + PAIRS[:1], "val": PAIRS[20:25], "test": PAIRS[24:]}
    for name, pairs in parts.items():
        written(tmp_path / f"{name}.tsv", lines(pairs))
    corpus = load(tmp_path)
    assert {name: pairs_of(corpus, name) for name in parts} == parts
    assert corpus.report.shared == 1


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".tsv.gz"])
def test_columns_of_tables(tmp_path: Path, suffix: str) -> None:
    """A row without one of them is left out; so is a blank line."""
    rows = [*PAIRS, ("only a source", None)]
    if suffix == ".jsonl":
        texts = [json.dumps({"n": 1, "to": b, "from": a}) for a, b in rows]
        texts.insert(3, "")
    else:
        sign = "," if suffix == ".csv" else "\t"
        texts = [sign.join(("to", "n", "from"))]
        texts += [sign.join([b, "1", a]) for a, b in PAIRS]
        texts += ["", sign.join(["only a target", "1"])]
    path = tmp_path / f"a{suffix}"
    content = "\n".join(texts).encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    corpus = load(path, columns=["from", "to"])
    every = [pair for name in corpus.splits for pair in pairs_of(corpus, name)]
    assert sorted(every) == sorted(PAIRS)
    assert (corpus.report.missing, corpus.report.empty) == (1, 1)


def test_what_folding_leaves_nothing_of_is_dropped(tmp_path: Path) -> None:
    text = lines([*PAIRS, ("?!", "ab"), ("ab", "...")]) + "\n"
    corpus = load(written(tmp_path / "a.tsv", text), alphabet="article")
    assert (corpus.report.read, corpus.report.empty) == (33, 3)
    assert ("line ab of many", "ba") in [
        p for name in corpus.splits for p in pairs_of(corpus, name)
    ]


def test_the_whole_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its order, repeated pairs too, however many lines are held at a time."""
    monkeypatch.setattr(headlines, "_AT_ONCE", 40)
    every = [*PAIRS, *PAIRS[:3]]
    tokenizer = CharacterTokenizer("".join(sorted(set("".join(map("".join, PAIRS))))))
    split, report = read_whole(written(tmp_path / "a.tsv", lines(every)), tokenizer, text="pairs")
    assert isinstance(split, Pairs)
    assert split.texts() == every
    assert report.read == len(every)


HOSTILE = {
    "no tab, wanted a source, a tab and a target on each line": b"a\tb\n" * 20 + b"a b\n",
    r"line 2: 2 tabs, wanted": b"a\tb\na\tb\tc\n",
    "line 1: no target": b"a\t \n",
    "line 2: no source": b"a\tb\n\tb\n",
    "has 1 distinct source in its pairs, wanted at least 10": b"a\tb\na\tc\n",
    "has 9 distinct sources in its pairs": b"".join(b"%c\tb\n" % n for n in b"acdefghij"),
    "is empty: 0 pairs read; wanted a text": b"",
    "has no pairs: 3 read, nothing left": b"\n\n\n",
    "byte 0xff at offset 4 is not utf-8": b"a\tb\n\xff\xfe\x00" * 9,
}


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_files(tmp_path: Path, message: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(HOSTILE[message])
    with pytest.raises(InputError, match=message):
        load(path, alphabet="article")


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("a.csv", [], "the pairs in .*csv need --column twice: for the source, then"),
        ("a.csv", ["x"], "--column is given once, wanted twice with pairs"),
        ("a.csv", ["x", "y", "x"], "--column is given 3 times, wanted twice"),
        ("a.csv", ["x", "z"], "has no column 'z'; it has 'x', 'y'"),
        ("a.txt", ["x", "y"], "column 'x' is for .* files, and .*a.txt has none"),
        ("none.tsv", [], "is not there"),
        ("a.doc", [], "has the suffix '.doc'"),
        ("", [], "has no train.tsv, val.tsv, test.tsv; wanted a directory with train.tsv"),
    ],
)
def test_hostile_columns(tmp_path: Path, name: str, columns: list[str], message: str) -> None:
    if name and not name.startswith("none"):
        written(tmp_path / name, "x,y\n" + "1,2\n" * 20)
    with pytest.raises(InputError, match=message):
        load(tmp_path / name, columns=columns)


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    for name in ("train", "val", "test"):
        written(tmp_path / f"{name}.tsv", "" if name == "val" else lines(PAIRS))
    with pytest.raises(InputError, match=r"val\.tsv has no pairs"):
        load(tmp_path)


def test_there_are_no_bundled_pairs() -> None:
    with pytest.raises(InputError, match="there are no bundled pairs, wanted a file"):
        load_corpus(None, text="pairs")


def test_a_large_file_is_kept_as_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.tsv", lines(PAIRS))
    plain = load(path)
    monkeypatch.setattr(saved, "LARGE", 1)
    for _ in range(2):
        kept = load(path, folder=tmp_path / "runs")
        assert corpus_hash(kept) == corpus_hash(plain)
        for name in kept.splits:
            assert pairs_of(kept, name) == pairs_of(plain, name)
    assert len(list((tmp_path / "runs").glob("*.ids"))) == 1


# -- tuples ----------------------------------------------------------------------------------------


def three(num_tokens: int = 9) -> Tuples:
    """ab, a, abc; c, "", aa."""
    texts = ["ab", "a", "abc", "c", "", "aa"]
    ids, counts = LETTERS.encode(texts)
    rows = [[LETTERS.begin, *part, LETTERS.end] for part in np.split(ids, counts.cumsum()[:-1])]
    flat = np.array([*itertools.chain(*rows)], LETTERS.dtype)
    split = Tuples.of_ids(flat, counts + 2, 3, LETTERS)
    arrays = split.places() | {"ids": flat, "numbers.kind": np.array([7, 8])}
    return Tuples.of_arrays(arrays, LETTERS).cut(num_tokens)


def test_parts_by_hand() -> None:
    first, second, third = three().parts(np.array([0, 1]))
    b = LETTERS.begin
    assert first.ids.tolist() == [[b, 1, 2, 0], [b, 3, 0, 0]]
    assert first.counted.tolist() == [[False, True, True, True], [False, True, True, False]]
    assert second.ids.tolist() == [[b, 1, 0], [b, 0, 0]]
    assert third.ids.tolist() == [[b, 1, 2, 3, 0], [b, 1, 1, 0, 0]]
    np.testing.assert_array_equal(three().batch(np.array([0, 1])).ids, third.ids)


def test_what_a_split_says_of_them() -> None:
    split = three()
    assert (len(split), split.amount, split.rows_per_epoch, split.size) == (2, 2, 2, 21)
    assert (split.width, split.unit, split.measure) == (9, "row", "rows")
    assert [split.num_cut(n) for n in (1, 2, 3, 4)] == [2, 2, 1, 0]
    assert split.cut(3).size == 3 * 5 + 2
    chosen = split.select(np.array([1]))
    assert chosen.part(2).texts() == ["aa"]
    assert chosen.numbers["kind"].tolist() == [8]


def test_numbers_are_kept_with_the_places() -> None:
    split = three()
    again = Tuples.of_arrays(split.places() | {"ids": split.ids}, LETTERS)
    assert again.numbers["kind"].tolist() == [7, 8]
    for number in range(3):
        assert again.part(number).texts() == split.part(number).texts()


def test_rows_of_similar_size_share_a_batch(rng: np.random.Generator) -> None:
    """Every row once; the size is that of all texts of a row."""
    counts = np.repeat(rng.integers(3, 40, 64), 2)
    split = Tuples.of_ids(np.ones(counts.sum(), np.uint8), counts, 2, LETTERS).cut(50)
    order = split.shuffled(4, rng, padded=False)
    assert sorted(np.concatenate(order).tolist()) == list(range(64))
    spread = [np.ptp(counts[::2][rows]) for rows in order]
    mixed = [np.ptp(counts[::2][rows]) for rows in split.shuffled(4, rng, padded=True)]
    assert np.mean(spread) < np.mean(mixed) / 3
    assert split.rows_per_batch(1, int(2 * counts.sum()), padded=False) == 1
