"""Texts out of files: .txt, .csv, .tsv and .jsonl, plain or .gz, errors by line number."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from teenygpt_np.errors import InputError

SPLITS = ("train", "val", "test")

_KINDS = (".txt", ".csv", ".tsv", ".jsonl")
_FILES = "a .txt, .csv, .tsv or .jsonl file, plain or .gz"
_WANTED = f"a directory with train.txt, val.txt and test.txt, or {_FILES}"
# A few KB of .gz may unpack to more than any memory holds. On the other hand the text of an article
# may well exceed the 128 KiB to which csv limits a field.
_MOST_BYTES = 2**24  # in a line, or in the several of a .csv's row
_MOST_KEYS = 1000  # of a .jsonl, that are remembered for a message
_MOST_TEXTS, _MOST_CHARACTERS = 10**7, 2**29  # in a file

Texts = list[str | None]  # None for a missing value


def read_texts(source: Path, columns: Sequence[str]) -> tuple[dict[str, Texts], list[str]]:
    """The texts of each split of a directory, or of a file as "all"; the columns they came from."""
    if not source.exists():
        raise InputError(f"{source} is not there; wanted {_WANTED}")
    if source.is_dir():
        missing = [f"{name}.txt" for name in SPLITS if not (source / f"{name}.txt").is_file()]
        if missing:
            raise InputError(f"{source} has no {', '.join(missing)}; wanted {_WANTED}")
        _no_columns(source, columns)
        paths = {name: source / f"{name}.txt" for name in SPLITS}
        return {name: _collect(path, _text(path)) for name, path in paths.items()}, []
    if not source.is_file():  # a pipe would be waited for
        raise InputError(f"{source} is no file; wanted {_WANTED}")
    kind = Path(source.name.lower().removesuffix(".gz")).suffix
    if kind not in _KINDS:
        raise InputError(f"{source} has the suffix {kind!r}; wanted {_FILES}")
    if kind == ".txt":
        _no_columns(source, columns)
        return {"all": _collect(source, _text(source))}, []
    found = list(columns)
    limit = csv.field_size_limit(_MOST_BYTES)
    try:
        texts = _objects(source, found) if kind == ".jsonl" else _table(source, found, kind)
        return {"all": _collect(source, texts)}, found
    finally:
        csv.field_size_limit(limit)


def _collect(path: Path, texts: Iterable[str | None]) -> Texts:
    kept: Texts = []
    characters = 0
    for text in texts:
        characters += len(text or "")
        if len(kept) == _MOST_TEXTS or characters > _MOST_CHARACTERS:
            raise InputError(
                f"{path} is too large: more than {_MOST_TEXTS:,} headlines, or "
                f"{_MOST_CHARACTERS:,} characters in them"
            )
        kept.append(text)
    return kept


def _no_columns(source: Path, columns: Sequence[str]) -> None:
    if columns:
        raise InputError(
            f"column {columns[0]!r} is for .csv, .tsv and .jsonl files, and {source} has none"
        )


def _lines(path: Path) -> Iterator[str]:
    """Each line with its line end; NULs become spaces, a byte order mark is dropped."""
    zipped = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        try:
            for number in itertools.count(1):
                line = file.readline(_MOST_BYTES + 1)
                if not line:
                    return
                if len(line) > _MOST_BYTES:
                    raise InputError(
                        f"{path}, line {number}: more than {_MOST_BYTES:,} bytes in one line"
                    )
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"{path}, line {number}: byte {line[error.start]:#04x} at {error.start} is "
                        "not UTF-8; wanted a file in UTF-8"
                    ) from error
                text = text.replace("\0", " ")
                yield text.removeprefix("\ufeff") if number == 1 else text
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{path} is not a whole gzip file: {error}") from error


def _text(path: Path) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in _lines(path))


def _table(path: Path, columns: list[str], kind: str) -> Iterator[str | None]:
    """The texts in the columns; if there are none, the only one is added to them."""
    rows = _csv_rows(path) if kind == ".csv" else _tsv_rows(path)
    _, header = next(rows, (1, []))
    if not header:
        raise InputError(f"{path} is empty on line 1; wanted a header that names the columns")
    columns += [] if columns else _only(path, header)
    for column in columns:
        if column not in header:
            raise InputError(f"{path} has no column {column!r}; it has {show(header)}")
    places = [header.index(column) for column in columns]
    for number, row in rows:
        if len(row) > len(header):
            raise InputError(
                f"{path}, line {number}: {len(row)} fields, wanted the header's {len(header)}"
            )
        if not row:
            yield ""
            continue
        for place in places:
            yield row[place] if place < len(row) else None


def _tsv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """As `_csv_rows`; but a quote is a character like any other, as .tsv files have it."""
    return ((n, line.split("\t") if line else []) for n, line in enumerate(_text(path), 1))


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with the number of the line where it begins."""
    number, size = 1, 0

    def lines() -> Iterator[str]:
        nonlocal size
        for line in _lines(path):
            size += len(line)
            if size > _MOST_BYTES:
                raise InputError(
                    f"{path}, the row from line {number}: more than {_MOST_BYTES:,} characters"
                )
            yield line

    try:
        # strict: otherwise a quote that is never closed makes one headline of the rest of the file.
        reader = csv.reader(lines(), strict=True)
        for row in reader:
            yield number, row
            number, size = reader.line_num + 1, 0
    except csv.Error as error:
        raise InputError(
            f"{path}, the row from line {number}: {error}; wanted fields as csv quotes them"
        ) from error


def _objects(path: Path, columns: list[str]) -> Iterator[str | None]:
    """The texts under the keys; if there are none, the only one is added to them."""
    keys: dict[str, None] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            yield ""
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise InputError(f"{path}, line {number}: {reason}; wanted a JSON object") from error
        if not isinstance(row, dict):
            raise InputError(
                f"{path}, line {number}: a JSON {type(row).__name__}, wanted an object"
            )
        columns += [] if columns else _only(path, list(row))
        keys |= {key: None for key in row if key in columns or len(keys) < _MOST_KEYS}
        for column in columns:
            value = row.get(column)
            if value is not None and not isinstance(value, str):
                raise InputError(
                    f"{path}, line {number}: {column!r} is {str(value)[:40]}, wanted a text"
                )
            yield value
    for column in columns:
        if column not in keys:
            raise InputError(f"{path} has no key {column!r}; it has {show(list(keys))}")


def _only(path: Path, names: list[str]) -> list[str]:
    if len(names) != 1:
        raise InputError(f"{path}: which column has the headlines? It has {show(names)}")
    return names


def show(names: Sequence[str]) -> str:
    """The names of columns, for a message: of many the first, of long ones the beginning."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"
