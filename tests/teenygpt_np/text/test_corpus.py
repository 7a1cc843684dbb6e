"""From files to splits: every kind of file, and every way that a file can be wrong."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import texts

from teenygpt_np.errors import InputError
from teenygpt_np.text import corpus as data
from teenygpt_np.text.batches import check_batch
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import corpus_hash, load_corpus
from teenygpt_np.text.files import SPLITS
from teenygpt_np.text.report import Report

LETTERS = "abcdefghijklmnopqrst"
LINES = [f"headline {c}" for c in LETTERS]
TEXT = "".join(f"{line}\n" for line in LINES)


def write(path: Path, text: str | bytes) -> Path:
    content = text.encode("utf-8") if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def directory(path: Path, **splits: str) -> Path:
    path.mkdir(exist_ok=True)
    for name in ("train", "val", "test"):
        write(path / f"{name}.txt", splits.get(name, f"{name} one\n{name} two\n"))
    return path


def everything(corpus: data.Corpus) -> list[str]:
    return sorted(text for name in SPLITS for text in texts(corpus, name))


def rows_of(name: str) -> str:
    """A file of that kind with LINES in column `title`, and another column."""
    if ".jsonl" in name:
        return "".join(json.dumps({"id": "x", "title": line}) + "\n" for line in LINES)
    delimiter = "\t" if ".tsv" in name else ","
    return "".join(f"{a}{delimiter}{b}\n" for a, b in [("id", "title"), *(("x", t) for t in LINES)])


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "A.TXT"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text(tmp_path: Path, name: str, bom: str, end: str) -> None:
    corpus = load_corpus(write(tmp_path / name, bom + TEXT.replace("\n", end)))
    assert everything(corpus) == LINES
    assert (corpus.name, corpus.truth, corpus.tokenizer) == (name, None, CharacterTokenizer())
    assert corpus.report == Report(read=20)
    assert str(corpus.report) == "20 lines read"


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.tsv.gz", "a.jsonl.gz"]
)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns(tmp_path: Path, name: str, bom: str, end: str) -> None:
    path = write(tmp_path / name, bom + rows_of(name).replace("\n", end))
    assert everything(load_corpus(path, columns=["title"])) == LINES
    both = load_corpus(path, columns=["title", "id"])
    assert everything(both) == [*LINES, "x"]
    assert (both.report.read, both.report.duplicates) == (40, 19)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_only_column_needs_no_name(tmp_path: Path, kind: str) -> None:
    text = "t\n" + TEXT
    if kind == "jsonl":
        text = "".join(json.dumps({"t": line}) + "\n" for line in LINES)
    assert everything(load_corpus(write(tmp_path / f"a.{kind}", text))) == LINES


def test_the_report_names_the_columns(tmp_path: Path) -> None:
    """So the user notices if a table has no header and its first headline was read as one."""
    path = write(tmp_path / "a.csv", TEXT)
    assert str(load_corpus(path).report) == "19 lines read from column 'headline a'"
    write(path, rows_of("a.csv"))
    assert str(load_corpus(path, columns=["title", "id"]).report).startswith(
        "40 lines read from column 'title', 'id'; "
    )


def test_a_quote_in_a_tsv_is_a_character(tmp_path: Path) -> None:
    lines = sorted(line for c in LETTERS for line in (f'{c} says "no', f'"yes" says {c}', f'"{c}"'))
    text = "id\ttitle\n" + "".join(f'5"\t{line}\n' for line in lines) + "6\n\n"
    corpus = load_corpus(write(tmp_path / "a.tsv", text), columns=["title"], alphabet="corpus")
    assert everything(corpus) == lines
    assert (corpus.report.missing, corpus.report.empty) == (1, 1)


def test_csv_quotes_and_short_rows(tmp_path: Path) -> None:
    text = "id,title\n" + "".join(f'"1","headline, ""{c}""\nover lines"\n' for c in LETTERS)
    path = write(tmp_path / "a.csv", text + "2\n\n")
    corpus = load_corpus(path, columns=["title"])
    assert everything(corpus) == [f"headline {c} over lines" for c in LETTERS]
    assert (corpus.report.missing, corpus.report.empty) == (1, 1)
    quoted = load_corpus(path, columns=["title"], alphabet="corpus")
    assert everything(quoted)[0] == 'headline, "a" over lines'


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_fields_may_be_longer_than_csv_s_own_limit(tmp_path: Path, name: str) -> None:
    limit = csv.field_size_limit()
    long = "y" * 200_000
    text = f"body{long},title\n" + "".join(f"{long},{line}\n" for line in LINES[:10])
    text = text.replace(",", "\t") if name == "a.tsv" else text
    corpus = load_corpus(write(tmp_path / name, text), columns=["title"])
    assert everything(corpus) == LINES[:10]
    assert csv.field_size_limit() == limit


def test_nuls_become_spaces(tmp_path: Path) -> None:
    for name in ("a.txt", "a.csv", "a.jsonl"):
        text = TEXT if name == "a.txt" else rows_of(name)
        path = write(tmp_path / name, text.replace("headline ", "headline\0"))
        assert everything(load_corpus(path, columns=["title"][: name != "a.txt"])) == LINES


def test_the_report_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", TEXT + "Who?\nwho\n\n ?! \nÉté, hé\n")
    corpus = load_corpus(path)
    assert everything(corpus) == sorted([*LINES, "who", "ete he"])
    assert corpus.report == Report(
        read=25, empty=2, duplicates=1, folded=3, replaced=Counter({"?": 2, "!": 1, ",": 1})
    )
    assert str(corpus.report) == (
        "25 lines read; 2 empty, dropped; 1 duplicate, dropped; 3 changed by folding; "
        "4 characters became spaces (most often '?' 2, '!' 1, ',' 1)"
    )
    cut = [sum(split.num_cut(n) for split in corpus.splits.values()) for n in (11, 10, 1)]
    assert cut == [0, 20, 22]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (TEXT, False),
        (TEXT + "\n", False),
        (TEXT.replace("\n", "\n\n"), True),
        (TEXT.replace("line", "line" * 100), True),
    ],
)
def test_running_text_is_noticed(tmp_path: Path, text: str, hint: bool) -> None:
    told = str(load_corpus(write(tmp_path / "a.txt", text)).report)
    assert ("--text running" in told) == hint


def test_the_report_of_an_alphabet_without_a_space(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "ab?\n")
    _, report = data.read_whole(path, CharacterTokenizer("ab"))
    assert str(report).endswith("1 characters were left out (most often '?' 1)")


def test_jsonl_drops_rows_without_the_key(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", rows_of("a.jsonl") + '{"id": "y"}\n{"title": null}\n\n')
    report = load_corpus(path, columns=["title"]).report
    assert (report.read, report.missing, report.empty) == (23, 2, 1)


def test_alphabets(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "".join(f"E\u0301t\u00e9 {c}?\t\n" for c in LETTERS))
    own = load_corpus(path, alphabet="corpus")
    assert everything(own)[0] == "Été a?"
    assert isinstance(own.tokenizer, CharacterTokenizer)
    assert own.tokenizer.characters == "".join(sorted(set(" ?Éé" + LETTERS)))
    given_one = load_corpus(path, given=CharacterTokenizer("abcdefghijklmnopqrstE "))
    assert everything(given_one)[0] == "ete a"
    write(path, "".join(map(chr, range(0x4E00, 0x4E00 + 20_001))))
    with pytest.raises(
        InputError, match=r"a\.txt: an alphabet has at most 20,000 characters, got 20,0"
    ):
        load_corpus(path, alphabet="corpus")
    with pytest.raises(InputError, match=r"a\.txt: an alphabet needs at least one character"):
        load_corpus(write(path, " \n"), alphabet="corpus")


# -- splits ----------------------------------------------------------------------------------------


@given(st.integers(10, 60), st.integers(0, 2**32))
def test_splits_are_disjoint_whole_and_the_seed_s(tmp_path_factory: Any, n: int, seed: int) -> None:
    lines = [LETTERS[i // 20] + " " + LETTERS[i % 20] for i in range(n)]
    path = tmp_path_factory.getbasetemp() / "split.txt"
    write(path, "\n".join([*lines, *lines[:7]]))
    corpus = load_corpus(path, seed=seed)
    assert everything(corpus) == sorted(lines)
    assert len(texts(corpus, "val")) == len(texts(corpus, "test")) == n // 10
    assert corpus.report.duplicates == 7
    assert data.corpus_hash(load_corpus(path, seed=seed)) == data.corpus_hash(corpus)


def test_another_seed_splits_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", TEXT)
    assert texts(load_corpus(path, seed=0), "train") != texts(load_corpus(path, seed=1), "train")


def test_a_directory_is_used_as_it_is(tmp_path: Path) -> None:
    corpus = load_corpus(directory(tmp_path / "d", train="b\na\nb\n", val="b\n\n", test="c\r\n"))
    assert (texts(corpus, "train"), texts(corpus, "val"), texts(corpus, "test")) == (
        ["b", "a", "b"],
        ["b"],
        ["c"],
    )
    assert (corpus.report.shared, corpus.report.empty, corpus.report.duplicates) == (1, 1, 0)


def test_the_truth_is_for_the_very_files(tmp_path: Path) -> None:
    path = directory(tmp_path / "d")
    splits = {
        name: {
            "nats_per_headline": nats,
            "sha256": hashlib.sha256((path / f"{name}.txt").read_bytes()).hexdigest(),
            "lines": 2,
        }
        for name, nats in (("train", 40.5), ("val", 41), ("test", 42))
    }
    write(path / "entropy.json", json.dumps({"splits": splits}))
    assert load_corpus(path).truth == {"train": 40.5, "val": 41.0, "test": 42.0}
    write(path / "val.txt", "val one\nval too\n")
    assert load_corpus(path).truth is None


@pytest.mark.parametrize("text", ["", "[]", '{"splits": {}}', '{"splits": 1}', b"\xff"])
def test_an_entropy_file_about_something_else_says_nothing(tmp_path: Path, text: str) -> None:
    path = directory(tmp_path / "d")
    write(path / "entropy.json", text)
    assert load_corpus(path).truth is None


# -- what is refused -------------------------------------------------------------------------------

FILES = "a .txt, .md, .csv, .tsv, .jsonl or .parquet file, plain, .gz or .zst"
TWO = '{"a": "x", "b": "y"}\n'
BAD: list[tuple[str, str | bytes, list[str], str]] = [
    ("a.docx", "x", [], f"a.docx has the suffix '.docx'; wanted {FILES}"),
    ("a", "x", [], f"a has no suffix; wanted {FILES}; or --text=running, for"),
    ("a.txt", "", [], "a.txt is empty: 0 lines read; wanted a text"),
    ("a.jsonl", "", [], "a.jsonl is empty: 0 lines read; wanted a text"),
    (
        "a.txt",
        "中文\n?\n",
        [],
        "no text: 2 lines read, nothing left of them in the alphabet 'abcdefghijklmnopqrstuvwx"
        "yz '; --alphabet=corpus is for a text's own characters",
    ),
    ("a.txt", "a\nb\na\n", [], "a.txt has 2 distinct lines, wanted at least 10"),
    ("a.txt", TEXT, ["t"], "column 't' is for .csv, .tsv, .jsonl and .parquet files, and"),
    (
        "a.txt",
        b"ok\nna\xefve\n",
        [],
        "a.txt, line 2: byte 0xef at offset 5 is not utf-8; --encoding=cp1252 p",
    ),
    ("a.txt", b"\xef\xbb\xbf\xff\n", [], "a.txt, line 1: byte 0xff at offset 3 is not utf-8"),
    ("a.csv", b"t\nok\n\xc3\n", [], "a.csv, line 3: byte 0xc3 at offset 5 is not utf-8"),
    ("a.csv", "", [], "a.csv is empty; wanted a header that names the columns"),
    ("a.csv", "\n\n", [], "a.csv is empty; wanted a header that names the columns"),
    ("a.csv", "a;b\nx;y\n", [], "a.csv has columns 'a', 'b'; wanted --column "),
    ("a.csv", "a\tb\nx\ty\n", [], "a.csv has columns 'a', 'b'; wanted --column "),
    ("a.tsv", "a,b\nx,y\n", [], "a.tsv has columns 'a', 'b'; wanted --column "),
    ("a.csv", "a,b,a\nx,y,z\n", ["a"], "a.csv has 2 columns 'a', wanted one"),
    ("a.csv", "x,y\n", ["0"], "a.csv has no column '0'; it has 'x', 'y'"),
    ("a.csv", "x,y\n", ["3"], "a.csv has no column '3'; it has 'x', 'y'"),
    ("a.csv", "a,b\nx,y\n", [], "a.csv has columns 'a', 'b'; wanted --column "),
    ("a.csv", "a,b\nx,y\n", ["b", "c"], "a.csv has no column 'c'; it has 'a', 'b'"),
    (
        "a.csv",
        "a,b\nx,y\nx,y,z\n",
        ["a"],
        "a.csv, line 3: 3 fields, wanted 2; 1 of 2 rows are like that, wanted at most 1%",
    ),
    ("a.csv", 'a\nx\n"y\nz\n', [], "a.csv, the row from line 3: unexpected end of data; wanted"),
    ("a.csv", 'a\n"x" y\n', [], "a.csv, line 2: ',' expected after '\"'; wanted fields as csv"),
    (
        "a.csv",
        'a\n"' + f"{'x' * 1023}\n" * 2**14 + '"',
        [],
        "a.csv, the row from line 2: more than 16,777,216 characters",
    ),
    ("a.csv", "a\n" + "," * (2**24 + 1), [], "a.csv, line 2: more than 16,777,216 characters in"),
    ("a.tsv", "a\tb\nx\ty\n", ["a,b"], "a.tsv has no column 'a,b'; it has 'a', 'b'"),
    ("a.jsonl", "", ["a"], "a.jsonl is empty: 0 lines read; wanted a text"),
    ("a.jsonl", "{}\n", ["a"], "a.jsonl has no key 'a'; it has none"),
    ("a.jsonl", TWO, [], "a.jsonl has columns 'a', 'b'; wanted --column "),
    ("a.jsonl", TWO, ["c"], "a.jsonl has no key 'c'; it has 'a', 'b'"),
    (
        "a.jsonl",
        TWO + "\n{oops\n",
        ["a"],
        "a.jsonl, line 3: Expecting property name enclosed in double quotes; wanted a",
    ),
    ("a.jsonl", "[" * 100_000, ["a"], "a.jsonl, line 1: "),
    ("a.jsonl", TWO + "[1]\n", ["a"], "a.jsonl, line 2: a JSON list, wanted an object"),
    ("a.jsonl", TWO + '{"a": true}\n', ["a"], "a.jsonl, line 2: 'a' is True, wanted a text"),
    ("a.jsonl", json.dumps(dict.fromkeys(map(str, range(30)))), ["a"], "'19' and 10 more"),
]


@pytest.mark.parametrize(("name", "content", "columns", "message"), BAD)
def test_refused(
    tmp_path: Path, name: str, content: str | bytes, columns: list[str], message: str
) -> None:
    limit = csv.field_size_limit()
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_corpus(write(tmp_path / name, content), columns=columns)
    assert "\n" not in str(caught.value)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    "content",
    [TEXT.encode(), gzip.compress(TEXT.encode())[:-20], b"\x1f\x8b\x08" + b"\0" * 30],
    ids=["no gzip", "cut", "nothing"],  # the bytes have the time in them
)
def test_gz_that_is_not(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt\.gz is not a whole gzip file: "):
        load_corpus(path)


def test_gz_with_damage_inside(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(TEXT.encode()))
    content[12:40] = b"\xff" * 28
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt\.gz is not a whole gzip file: "):
        load_corpus(path)


def test_directories_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"nowhere is not there; wanted a directory with train\.txt"
    ):
        load_corpus(tmp_path / "nowhere")
    path = directory(tmp_path / "d", val=" \n")
    with pytest.raises(InputError, match=r"val\.txt has no text, wanted at least one line"):
        load_corpus(path)
    with pytest.raises(
        InputError, match=r"column 't' is for \.csv, \.tsv, \.jsonl and \.parquet files"
    ):
        load_corpus(path, columns=["t"])
    (path / "val.txt").unlink()
    (path / "test.txt").unlink()
    with pytest.raises(InputError, match=r"d has no val\.txt, test\.txt; wanted a directory"):
        load_corpus(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lines.txt")
    with pytest.raises(InputError, match=r"lines\.txt is no file; wanted a directory with train"):
        load_corpus(tmp_path / "lines.txt")


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", "a.txt")

    monkeypatch.setattr(Path, "open", refuse)
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(InputError, match=r"^a\.txt cannot be read: Permission denied$"):
        load_corpus(path)


# -- the bundled corpus ----------------------------------------------------------------------------


@pytest.mark.parametrize("installed", [False, True])
def test_where_the_bundled_corpus_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(data, "__file__", str(package / "text" / "corpus.py"))
    directory(tmp_path / "data", train="from the checkout\n")
    if installed:
        directory(package / "corpus", train="from the wheel\n")
    corpus = load_corpus(None)
    assert texts(corpus, "train") == ["from the wheel" if installed else "from the checkout"]
    assert corpus.name == "bundled"


def test_the_bundled_corpus_needs_no_folding_and_knows_its_truth() -> None:
    corpus = load_corpus(None)
    assert (corpus.report.folded, corpus.report.empty) == (0, 0)
    assert not any(split.num_cut(150) for split in corpus.splits.values())
    assert corpus.truth is not None
    assert all(nats > 0 for nats in corpus.truth.values())


@pytest.mark.parametrize("text", ["lines", "running"])
def test_several_files_are_read_one_after_the_other(tmp_path: Path, text: str) -> None:
    a, b = write(tmp_path / "a.txt", TEXT[:50] + "\n"), write(tmp_path / "b.txt", TEXT[50:])
    both = write(tmp_path / "both.txt", TEXT[:50] + "\n" + TEXT[50:])
    found, want = load_corpus([a, b], text=text), load_corpus(both, text=text)
    assert (found.name, found.tokenizer) == ("a.txt and 1 more", want.tokenizer)
    if text == "lines":
        assert corpus_hash(found) == corpus_hash(want)
    else:  # with an end behind the first file
        ids = [i for split in found.splits.values() for i in split.ids.tolist()]
        end = found.tokenizer.end
        assert [i for i in ids if i != end] == [
            i for split in want.splits.values() for i in split.ids.tolist() if i != end
        ]
        assert ids.index(end) == 51
    assert corpus_hash(load_corpus([both])) == corpus_hash(load_corpus(both))


def test_several_texts_are_files(tmp_path: Path) -> None:
    a = write(tmp_path / "a.txt", TEXT)
    for sources in ([a, tmp_path], [directory(tmp_path / "d"), a]):
        with pytest.raises(InputError, match="is one of 2 texts; wanted files"):
            load_corpus(sources)
    empty = write(tmp_path / "b.txt", "")
    with pytest.raises(InputError, match=r"b\.txt and 2 more is empty: 0 lines read"):
        load_corpus([empty] * 3)
    with pytest.raises(InputError, match=r"c\.txt is not there"):
        load_corpus([a, tmp_path / "c.txt"])


def test_a_training_split_fills_a_batch(tmp_path: Path) -> None:
    corpus = load_corpus(write(tmp_path / "a.txt", TEXT))
    check_batch(corpus.name, corpus.splits["train"], 16)
    message = r"training split of a\.txt has 16 lines, wanted at least 17 for a batch of 17; "
    with pytest.raises(InputError, match=message):
        check_batch(corpus.name, corpus.splits["train"], 17)
