"""Read running text: documents from a file or a directory, in pieces of about a megabyte."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from teenygpt_np.errors import InputError
from teenygpt_np.text.files import SPLITS, FileTexts, files_of, has_columns
from teenygpt_np.text.reading import STDIN, chunks_of, readable, shown

Pieces = Iterable[str | None]  # of documents, with None after the last of each


@dataclass(frozen=True)
class Documents:
    """The documents of some files. Each time they are iterated, they are read.

    separator: a line that stands between two documents of one file; '' if there is none
    notes: gets a line for whatever was left out

    Raises InputError where a file cannot be used.
    """

    paths: Sequence[Path]
    encoding: str
    separator: str
    notes: list[str]

    def __iter__(self) -> Iterator[str | None]:
        found = 0
        for path in self.paths:
            chunks = chunks_of(path, self.encoding, self.notes)
            with contextlib.closing(chunks), readable(path):
                for piece in _divided(chunks, self.separator) if self.separator else chunks:
                    yield piece
                    found += piece is None
            yield None
        if self.separator and not found:
            raise InputError(
                f"{shown(self.paths[0])} has no line {self.separator!r}, wanted one between two "
                "documents, as --split-on says"
            )


@dataclass(frozen=True)
class Fields:
    """A document in each text of a table or JSON."""

    texts: FileTexts

    def __iter__(self) -> Iterator[str | None]:
        for text in self.texts:
            if text:
                yield text
                yield None


def _divided(chunks: Iterable[str], separator: str) -> Iterator[str | None]:
    """The pieces of documents between which a line `separator` stands; no None after the last."""
    mark = re.compile(rf"\n{re.escape(separator)}(?=\n)")
    pending, begun = "\n", False  # before a document has begun, pending begins with a line end more
    for chunk in chunks:
        *whole, pending = mark.split(pending + chunk)
        for text in whole:
            yield text[not begun :] + "\n"
            yield None
            begun = False
        settled = len(pending) - len(separator) - 2  # behind that a separator may have begun
        if settled > 1:
            yield pending[not begun : settled]
            pending, begun = pending[settled:], True
    yield pending[not begun :]


def cut(pieces: Pieces, settled: Callable[[str], int]) -> Iterator[tuple[str, bool]]:
    """The pieces, cut anew where a text may be; and whether each is the last of its document.

    settled: a tokenizer's, by which a place is found where what follows makes no difference
    """
    pending, looked = "", 0  # looked: where in pending such a place may still be
    for piece in pieces:
        if piece is None:
            yield pending, True
            pending, looked = "", 0
            continue
        pending += piece
        if n := settled(pending[looked:]):
            yield pending[: looked + n], False
            pending = pending[looked + n :]
        looked = max(len(pending) - 1, 0)


def read_documents(
    source: Path, columns: Sequence[str], encoding: str, split_on: str, notes: list[str]
) -> tuple[dict[str, Pieces], list[str]]:
    """The documents of a directory's splits, or of anything else as the split "all".

    A directory without train.txt, val.txt and test.txt has a document in each of its files, at any
    depth, except for hidden ones; a table or JSON in each row; any other file is one document, or
    as many as the lines `split_on` make of it.    -> documents by split, columns

    Raises InputError if there is nothing to read.
    """
    if source.is_dir():
        own = {name: source / f"{name}.txt" for name in SPLITS}
        if all(path.is_file() for path in own.values()):
            return {name: Documents([p], encoding, split_on, notes) for name, p in own.items()}, []
        paths = files_of(source)
        if not paths:
            raise InputError(f"{source} has no files; wanted at least one with text")
        return {"all": Documents(paths, encoding, split_on, notes)}, []
    if source != STDIN and not source.is_file():  # reading a pipe would wait for a writer
        what = "is no file" if source.exists() else "is not there"
        raise InputError(f"{source} {what}; wanted a file with text, or a directory of such files")
    if not has_columns(source):
        if columns:
            raise InputError(f"column {columns[0]!r} is for tables and JSON, and {source} is text")
        return {"all": Documents([source], encoding, split_on, notes)}, []
    found = list(columns)
    return {"all": Fields(FileTexts(source, found, encoding, notes))}, found
