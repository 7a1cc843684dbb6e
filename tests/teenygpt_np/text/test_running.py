"""Running text: documents, the three splits, and windows from anywhere in them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.errors import InputError
from teenygpt_np.text import documents, reading
from teenygpt_np.text.batches import Windows
from teenygpt_np.text.bpe import BpeTokenizer
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import Corpus, load_corpus, read_whole
from teenygpt_np.text.words import last_cut

TEXT = "Enter the King.\n\n\tKING  I\u0301 am here.\nExit\n" * 40
LETTERS = CharacterTokenizer("ab\n ", running=True)


def written(path: Path, text: str) -> Path:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def text_of(corpus: Corpus) -> str:
    """All that is in the splits, one after the other; ␃ for the end of a document."""
    ids = [i for split in corpus.splits.values() for i in split.ids.tolist()]
    end = corpus.tokenizer.end
    return "".join("␃" if i == end else corpus.tokenizer.decode(np.array([i])) for i in ids)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py", "a", "a.txt.gz"])
def test_all_of_a_file_is_kept(tmp_path: Path, name: str) -> None:
    corpus = load_corpus(written(tmp_path / name, TEXT), text="running")
    assert text_of(corpus) == TEXT + "␃"
    sizes = [len(split.ids) for split in corpus.splits.values()]
    assert sizes == [int(0.8 * (len(TEXT) + 1)), sizes[1], sizes[2]]
    assert abs(sizes[1] - sizes[2]) <= 1
    assert str(corpus.report) == f"{len(TEXT):,} characters read"


def test_the_article_s_alphabet_keeps_white_space_as_spaces(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "The KING,\n\tno one? " * 9)
    corpus = load_corpus(path, text="running", alphabet="article")
    assert text_of(corpus) == "the king   no one  " * 9 + "␃"
    assert corpus.report.replaced == {",": 9, "?": 9}


@given(st.lists(st.text("ab *\n", max_size=12), min_size=1, max_size=5), st.integers(1, 9))
def test_documents_between_lines(texts: list[str], size: int) -> None:
    """However the file is cut into pieces."""
    whole = "\n***\n".join(texts) + "\n"
    want = [""]
    for line in whole.splitlines(keepends=True):
        if line == "***\n":
            want.append("")
        else:
            want[-1] += line
    pieces = (whole[i : i + size] for i in range(0, len(whole), size))
    found = [""]
    for piece in documents._divided(pieces, "***"):
        if piece is None:
            found.append("")
        else:
            found[-1] += piece
    assert found == want


def test_documents_of_a_file_a_directory_and_a_table(tmp_path: Path) -> None:
    file = written(tmp_path / "a.txt", "one\n--\ntwo\n\n--\nthree" + "x" * 20)
    corpus = load_corpus(file, text="running", split_on="--")
    assert text_of(corpus) == "one\n␃two\n\n␃three" + "x" * 20 + "␃"
    assert "3 documents" in str(corpus.report)
    folder = tmp_path / "d"
    (folder / "sub" / ".git").mkdir(parents=True)
    written(folder / "b.txt", "second")
    written(folder / "sub" / "c.md", "third")
    written(folder / "a.c", "first")
    written(folder / ".hidden", "nothing")
    written(folder / "sub" / ".git" / "x", "nothing")
    assert text_of(load_corpus(folder, text="running")) == "first␃second␃third␃"
    rows = [{"t": "one\ntwo"}, {"t": None}, {"t": "three and more"}]
    table = written(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert text_of(load_corpus(table, text="running")) == "one\ntwo␃three and more␃"


def test_an_endless_word_is_looked_at_once(tmp_path: Path) -> None:
    """Between two places where BPE may cut a text there may be many pieces of it."""
    path = tmp_path / "dna.txt"
    path.write_text("so it is: " + "acgt" * 500 + " and so on " + "tgca" * 500, "utf-8")
    whole = load_corpus(path, text="running", tokenizer="bpe", vocab_size=262)
    looked: list[int] = []

    def settled(text: str) -> int:
        looked.append(len(text))
        return last_cut(text)

    with (
        mock.patch.object(reading, "_CHUNK", 20),
        mock.patch.object(BpeTokenizer, "settled", staticmethod(settled)),
    ):
        found = load_corpus(path, text="running", given=whole.tokenizer)
    assert sum(looked) < 2 * path.stat().st_size
    for name, split in whole.splits.items():
        np.testing.assert_array_equal(found.splits[name].ids, split.ids)


def test_a_directory_with_splits_is_used_as_it_is(tmp_path: Path) -> None:
    for name in ("train", "val", "test"):
        written(tmp_path / f"{name}.txt", f"{name} and more\n")
    corpus = load_corpus(tmp_path, text="running")
    assert [len(split.ids) for split in corpus.splits.values()] == [16, 14, 15]


def test_pieces_of_a_file_make_no_difference(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", TEXT)
    for settings in ({}, {"tokenizer": "bytes"}, {"tokenizer": "bpe", "vocab_size": 280}):
        want = load_corpus(path, text="running", **settings)
        with mock.patch.object(reading, "_CHUNK", 7):
            found = load_corpus(path, text="running", **settings)
        assert found.tokenizer == want.tokenizer
        for name, split in want.splits.items():
            assert found.splits[name].ids.tolist() == split.ids.tolist()


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "a.txt is empty, or has only line ends; wanted a text"),
        ("", {"tokenizer": "bytes"}, "a.txt is empty: 0 characters read; wanted a text"),
        ("a", {}, r"the train split of .*a.txt has 1 token, wanted at least 2"),
        ("a\n--b\n", {"split_on": "--"}, "a.txt has no line '--', wanted one between two"),
        (TEXT, {"columns": ["t"]}, "column 't' is for tables and JSON, and .*a.txt is text"),
    ],
)
def test_refused(tmp_path: Path, text: str, settings: dict[str, Any], message: str) -> None:
    path = written(tmp_path / "a.txt", text)
    with pytest.raises(InputError, match=message):
        load_corpus(path, text="running", **settings)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x is not there; wanted a file with text, or a dir"):
        load_corpus(tmp_path / "x", text="running")
    with pytest.raises(InputError, match="has no files; wanted at least one with text"):
        load_corpus(tmp_path, text="running")
    with pytest.raises(InputError, match="--split-on is for --text running"):
        load_corpus(written(tmp_path / "a.txt", TEXT), split_on="--")


def test_a_file_as_a_whole(tmp_path: Path) -> None:
    split, report = read_whole(written(tmp_path / "a.txt", "ab c\nba\n"), LETTERS)
    assert LETTERS.decode(split.ids[:-1]) == "ab  \nba\n"
    assert report.replaced == {"c": 1}
    with pytest.raises(InputError, match="is empty: 0 characters read"):
        read_whole(written(tmp_path / "a.txt", ""), LETTERS)


# -- windows ---------------------------------------------------------------------------------------


def windows(length: int, num_tokens: int) -> Windows:
    """Ids 0..length-1, so that an id is its place."""
    many = CharacterTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + 300))))
    return Windows(np.arange(length, dtype=np.uint16), many, num_tokens)


@given(st.integers(2, 200), st.integers(1, 30))
def test_scoring_predicts_every_token_once(length: int, num_tokens: int) -> None:
    split = windows(length, num_tokens)
    ids, counted = split.batch(split.in_order)
    assert ids[counted].tolist() == list(range(1, length))
    assert ids.shape[1] <= split.width == num_tokens + 1


@given(st.integers(2, 200), st.integers(1, 30), st.integers(1, 7), st.integers(0, 99))
def test_an_epoch_has_whole_windows_that_do_not_overlap(
    length: int, num_tokens: int, batch_size: int, seed: int
) -> None:
    split = windows(length, num_tokens)
    order = split.shuffled(batch_size, np.random.default_rng(seed), padded=False)
    targets: list[int] = []
    for rows in order:
        ids, counted = split.batch(rows)
        assert (np.diff(ids) == 1).all()
        assert counted[:, 1:].all()
        assert ids.shape[1] == num_tokens + 1
        targets += ids[:, 1:].ravel().tolist()
    assert len(set(targets)) == len(targets) == split.rows_per_epoch * num_tokens
    assert len(targets) >= length - 1 - 2 * num_tokens  # but for the two ends


@given(st.integers(1, 7), st.integers(1, 30))
def test_the_least_text_that_fills_a_batch(batch_size: int, num_tokens: int) -> None:
    least = windows(2, num_tokens).least(batch_size)
    assert windows(least, num_tokens).rows_per_epoch == batch_size
    assert windows(least - 1, num_tokens).rows_per_epoch == batch_size - 1


def test_windows_begin_anywhere() -> None:
    split, rng = windows(64, 8), np.random.default_rng(0)
    starts = {int(rows.min()) for _ in range(99) for rows in split.shuffled(99, rng, padded=False)}
    assert starts == set(range(8))


def test_some_rows_spread_over_the_text() -> None:
    split = windows(101, 10)
    assert split.evenly(0).tolist() == split.in_order.tolist() == list(range(0, 100, 10))
    assert split.evenly(60).tolist() == [0, 20, 40, 60, 80]
    assert split.evenly(10**6).tolist() == split.in_order.tolist()
