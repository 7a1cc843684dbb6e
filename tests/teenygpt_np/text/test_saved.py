"""The file with a large text's ids: made once, found again, and never trusted blindly."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teenygpt_np import locking
from teenygpt_np.errors import InputError
from teenygpt_np.text import corpus as corpora
from teenygpt_np.text import saved
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import Corpus, corpus_hash, load_corpus

LINES = [f"line {a}{b} of many" for a in "abcdefgh" for b in "abcdefghij"]
KINDS: list[dict[str, Any]] = [
    {"text": "lines"},
    {"text": "lines", "alphabet": "corpus", "seed": 3},
    {"text": "running"},
    {"text": "running", "tokenizer": "bytes"},
    {"text": "running", "tokenizer": "bpe", "vocab_size": 270},
]


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "LARGE", 1)
    monkeypatch.setattr(saved, "_BLOCK", 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "many.txt"
    file.write_text("\n".join([*LINES, "", LINES[0], "Ünd?"]), encoding="utf-8")
    return file


def load(path: Path, **settings: Any) -> Corpus:
    return load_corpus(path, folder=path.parent / "runs", **settings)


def files(path: Path) -> list[str]:
    return sorted(p.name for p in (path.parent / "runs").iterdir())


def same(a: Corpus, b: Corpus) -> None:
    assert (a.name, a.tokenizer, a.report) == (b.name, b.tokenizer, b.report)
    assert corpus_hash(a) == corpus_hash(b)
    for name, split in a.splits.items():
        one, other = split.cut(9), b.splits[name].cut(9)
        assert type(one) is type(other)
        rows = one.in_order
        assert rows.tolist() == other.in_order.tolist()
        for x, y in zip(one.batch(rows), other.batch(rows), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("settings", KINDS)
def test_made_once_and_found_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    in_memory = load_corpus(path, **settings)
    first = load(path, **settings)
    [name] = files(path)
    assert name.startswith(".text-")
    with monkeypatch.context() as patch:
        patch.setattr(corpora, "_made", None)  # it is not read again
        again = load(path, **settings)
        resumed = load(path, given=first.tokenizer, **settings)
    for found in (first, again, resumed):
        same(found, in_memory)
        assert isinstance(found.splits["train"].ids, np.memmap)
    assert files(path) == [name]


def test_splits_of_a_directory(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for i, name in enumerate(("train", "val", "test")):
        (folder / f"{name}.txt").write_text("\n".join(LINES[i * 20 : i * 20 + 20]), "utf-8")
    for text in ("lines", "running"):
        same(load(folder, text=text), load_corpus(folder, text=text))


def test_another_text_or_setting_has_another_file(path: Path) -> None:
    load(path)
    load(path, seed=1)
    load(path, text="running")
    assert len(files(path)) == 3
    text = path.read_text("utf-8")
    for place in (0, len(text) // 2, len(text) - 1):  # in any of its blocks
        other = path.with_name("other.txt")
        other.write_text(text[:place] + "~" + text[place + 1 :], "utf-8")
        assert saved.key_of([other], {}) != saved.key_of([path], {})
    for folder, name in (("a", "t.txt"), ("b", "t.csv"), ("c", "x/t.txt"), ("d", "x/u.TXT")):
        file = path.parent / folder / name
        file.parent.mkdir(parents=True)
        file.write_text(text, "utf-8")
    a, b, c, d = (path.parent / folder for folder in "abcd")
    assert len({saved.key_of([source], {}) for source in (a, b, c, a / "t.txt", b / "t.csv")}) == 5
    assert saved.key_of([c / "x" / "t.txt"], {}) == saved.key_of([d / "x" / "u.TXT"], {})


def test_what_no_run_would_find_is_removed(path: Path) -> None:
    """Texts that have gone or changed, and what killed processes left."""
    folder, gone = path.parent / "runs", path.with_name("gone.txt")
    gone.write_text("\n".join(f"{line} indeed" for line in LINES), "utf-8")
    load(path)
    [ours] = files(path)
    load(gone)
    [theirs] = set(files(path)) - {ours}
    (folder / "..text-0123.ids.tmp").write_bytes(b"half")
    (folder / ".text-4567.ids").write_bytes(b"damaged")
    held = locking.lock(folder / ".text-89ab.lock")
    (folder / "..text-89ab.ids.tmp").write_bytes(b"half, and not yet done")
    made_now = ["..text-89ab.ids.tmp", ".text-89ab.lock"]
    gone.unlink()
    load(path, seed=1)
    assert len(files(path)) == 4
    assert set(files(path)) >= {ours, *made_now}
    held.close()
    path.write_text(path.read_text("utf-8") + "\none more", "utf-8")
    load(path)
    [left] = files(path)
    assert left not in (ours, theirs)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "is not whole"),
        (lambda data: b"", "is not whole"),
        (lambda data: bytes([data[0] ^ 1]) + data[1:], "is damaged"),
        (lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:], "is damaged"),
        (lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:], "is damaged"),
        (lambda data: data[:-10] + bytes([data[-10] ^ 8]) + data[-9:], "is not whole|is damaged"),
        (lambda data: data.replace(b'"key": "', b'"key": "0'), "is damaged"),
    ],
)
def test_a_damaged_file_is_made_again(path: Path, damage: Any, message: str) -> None:
    want = load(path)
    [name] = files(path)
    file = path.parent / "runs" / name
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    found = load(path)
    assert file.read_bytes() == whole
    [note] = found.report.notes
    assert note.endswith("made again")
    assert any(part in note for part in message.split("|"))
    assert corpus_hash(found) == corpus_hash(want)


def test_a_file_of_another_text_or_tokenizer_is_made_again(path: Path) -> None:
    load(path)
    [name] = files(path)
    file = path.parent / "runs" / name
    other = path.with_name("other.txt")
    other.write_text("\n".join(f"{line} indeed" for line in LINES), "utf-8")
    load(other)
    [of_other] = set(files(path)) - {name}
    file.write_bytes((path.parent / "runs" / of_other).read_bytes())
    assert load(path).report.notes == [f"{file} is of another text, made again"]
    found = load(path, given=CharacterTokenizer("abc"))
    assert found.report.notes == [f"{file} has another tokenizer, made again"]
    assert corpus_hash(found) == corpus_hash(load_corpus(path, given=CharacterTokenizer("abc")))


def test_a_text_that_has_moved_is_the_same(path: Path) -> None:
    first = load(path)
    moved = path.rename(path.with_name("moved.txt"))
    assert corpus_hash(load(moved)) == corpus_hash(first)
    assert len(files(path)) == 1


def test_waiting_for_another_process_is_told(path: Path) -> None:
    load(path)
    [name] = files(path)
    held = locking.lock((path.parent / "runs" / name).with_suffix(".lock"))
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        held.close()

    load(path, tell=tell)
    assert told == [f"waiting for process {os.getpid()}, which reads the same text"]


def test_a_full_disk_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: saved.InFile, ids: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(saved.InFile, "append", full)
        with pytest.raises(OSError, match="No space left") as caught:
            load(path)
    assert Path(caught.value.filename).name.startswith(".text-")
    assert files(path) == []
    load(path)


def test_a_text_that_cannot_be_used_leaves_nothing(path: Path) -> None:
    path.write_text("one\ntwo\n", "utf-8")
    with pytest.raises(InputError, match="has 2 distinct lines"):
        load(path)
    assert files(path) == []


def _digest(path: Path) -> str:
    saved.LARGE = 1
    return corpus_hash(load(path))


def test_many_processes_at_once(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(_digest, [path] * 6)
    assert set(found) == {corpus_hash(load_corpus(path))}
    assert len(files(path)) == 1
