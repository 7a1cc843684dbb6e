"""Texts out of files: .txt, .csv, .tsv and .jsonl, plain or .gz, errors by line number."""

from __future__ import annotations

import contextlib
import csv
import gzip
import itertools
import json
import math
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

from teenygpt_np.errors import InputError

SPLITS = ("train", "val", "test")

_LINES_OF_JSON = (".jsonl", ".ndjson", ".jl", ".json")
_KINDS = (".txt", ".csv", ".tsv", *_LINES_OF_JSON)
_FILES = "a .txt, .csv, .tsv or .jsonl file, plain or .gz"
_WANTED = f"a directory with train.txt, val.txt and test.txt, or {_FILES}"
_SEPARATORS = {",": "','", "\t": "a tab", ";": "';'"}
_BAD_SHARE = 0.01  # of the rows of a table, as many of which may be damaged
# A few KB of .gz may unpack to more than any memory holds. On the other hand the text of an article
# may well exceed the 128 KiB to which csv limits a field.
_MOST_BYTES = 2**24  # in a line, or in the several of a .csv's row
_MOST_KEYS = 1000  # of a .jsonl, that are remembered for a message
_MOST_TEXTS, _MOST_CHARACTERS = 10**7, 2**29  # in a file

Texts = list[str | None]  # None for a missing value


def read_texts(
    source: Path, columns: Sequence[str], notes: list[str]
) -> tuple[dict[str, Texts], list[str]]:
    """The texts of each split of a directory, or of a file as "all"; the columns they came from.

    notes: gets a line for all that was left out or read otherwise than it stands
    """
    if not source.exists():
        raise InputError(f"{source} is not there; wanted {_WANTED}")
    if source.is_dir():
        missing = [f"{name}.txt" for name in SPLITS if not (source / f"{name}.txt").is_file()]
        if missing:
            raise InputError(f"{source} has no {', '.join(missing)}; wanted {_WANTED}")
        _no_columns(source, columns)
        paths = {name: source / f"{name}.txt" for name in SPLITS}
        return {name: _read(path, _text, notes) for name, path in paths.items()}, []
    if not source.is_file():  # a pipe would be waited for
        raise InputError(f"{source} is no file; wanted {_WANTED}")
    name = source.name.lower()
    kind = Path(name.removesuffix(".gz")).suffix or (".txt" if name.endswith(".gz") else "")
    if kind not in _KINDS:
        raise InputError(f"{source} has the suffix {kind!r}; wanted {_FILES}")
    if kind == ".txt":
        _no_columns(source, columns)
        return {"all": _read(source, _text, notes)}, []
    found = list(columns)
    limit = csv.field_size_limit(_MOST_BYTES)
    try:
        if kind in _LINES_OF_JSON:
            texts = _read(source, lambda lines: _objects(source, lines, found, notes), notes)
        else:
            texts = _read(source, lambda lines: _table(source, lines, found, kind, notes), notes)
        return {"all": texts}, found
    finally:
        csv.field_size_limit(limit)


def _read(
    path: Path, texts_of: Callable[[Iterator[str]], Iterator[str | None]], notes: list[str]
) -> Texts:
    """The texts that a function makes of a file's lines. The file is closed whatever happens."""
    with contextlib.closing(_lines(path, notes)) as lines:
        return _collect(path, texts_of(lines))


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


def _lines(path: Path, notes: list[str]) -> Generator[str, None, None]:
    """Each line with a newline at its end; NULs become spaces, a byte order mark is dropped.

    A line ends with LF, CR LF, or as long ago CR alone.
    """
    zipped = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        number = 0
        try:
            while line := file.readline(_MOST_BYTES + 1):
                number += 1
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
                text = text.removeprefix("\ufeff") if number == 1 else text
                for part in text.removesuffix("\n").removesuffix("\r").split("\r"):
                    yield part + "\n"
        except gzip.BadGzipFile as error:
            if not number or not str(error).startswith("Not a gzipped file"):
                raise InputError(f"{path} is not a whole gzip file: {error}") from error
            notes.append(
                "bytes behind the end of the gzip file are not read, nor a last line without an end"
            )
        except (EOFError, zlib.error) as error:
            raise InputError(f"{path} is not a whole gzip file: {error}") from error


def _text(lines: Iterator[str]) -> Iterator[str]:
    return (line.removesuffix("\n") for line in lines)


class _BadRows:
    """Rows that are damaged: left out and told, as long as they are few."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.first = path, 0, ""

    def add(self, number: int, what: str) -> None:
        """One more, on that line."""
        self.count += 1
        self.first = self.first or f"line {number}: {what}"

    def end(self, rows: int, notes: list[str]) -> None:
        """Of so many rows. Raises InputError where too many are bad."""
        if self.count > _BAD_SHARE * rows:
            raise InputError(
                f"{self.path}, {self.first}; {self.count:,} of {rows:,} rows are like that, wanted "
                f"at most {_BAD_SHARE:.0%}"
            )
        if self.count:
            notes.append(f"{self.count:,} bad rows left out, the first on {self.first}")


def _table(
    path: Path, lines: Iterator[str], columns: list[str], kind: str, notes: list[str]
) -> Iterator[str | None]:
    """The texts in the columns; if there are none, the only one is added to them.

    A number that is no column's name is a column's place, counted from 1: the table then has no
    header.
    """
    first = next((line for line in lines if line.strip()), "")
    lines = itertools.chain([first], lines)
    bad, rows = _BadRows(path), 0
    own = "," if kind == ".csv" else "\t"
    separator = next((s for s in (own, *_SEPARATORS) if s in first), own)
    if separator != own:
        notes.append(f"fields are separated by {_SEPARATORS[separator]}")
    # In a .tsv a quote is a character like any other.
    reader = (
        _csv_rows(path, lines, separator, bad) if kind == ".csv" else _plain_rows(lines, separator)
    )
    _, header = next(reader, (1, []))
    if not header:
        raise InputError(f"{path} is empty; wanted a header that names the columns")
    columns += [] if columns else _only(path, header)
    places = [_place(path, column, header) for column in columns]
    has_header = any(column in header for column in columns)
    if not has_header:
        notes.append("no header, as the columns are numbers")
        reader = itertools.chain([(1, header)], reader)
    for number, row in reader:
        rows += 1
        if len(row) > len(header):
            bad.add(number, f"{len(row)} fields, wanted {len(header)}")
        elif not row:
            yield ""
        else:
            for place in places:
                yield row[place] if place < len(row) else None
    bad.end(rows + bad.count, notes)


def _place(path: Path, column: str, header: list[str]) -> int:
    """Where a column stands, by its name or its number."""
    if header.count(column) > 1:
        raise InputError(f"{path} has {header.count(column)} columns {column!r}, wanted one")
    if column in header:
        return header.index(column)
    if column.isdecimal() and 1 <= int(column) <= len(header):
        return int(column) - 1
    raise InputError(f"{path} has no column {column!r}; it has {show(header)}")


def _plain_rows(lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table without quoting, each with the number of its line."""
    for number, line in enumerate(lines, 1):
        text = line.removesuffix("\n")
        yield number, text.split(separator) if text else []


def _csv_rows(
    path: Path, lines: Iterable[str], separator: str, bad: _BadRows
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with quoting, each with the number of the line where it begins."""
    number, size = 1, 0

    def measured() -> Iterator[str]:
        nonlocal size
        for line in lines:
            size += len(line)
            if size > _MOST_BYTES:
                raise InputError(
                    f"{path}, the row from line {number}: more than {_MOST_BYTES:,} characters"
                )
            yield line

    # strict: otherwise a quote that is never closed makes one headline of the rest of the file.
    reader = csv.reader(measured(), delimiter=separator, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or "field larger" in str(error):
                raise InputError(
                    f"{path}, the row from line {number}: {error}; wanted fields as csv quotes them"
                ) from error
            bad.add(number, f"{error}; wanted fields as csv quotes them")
        else:
            yield number, row
        number, size = reader.line_num + 1, 0


def _objects(
    path: Path, lines: Iterator[str], columns: list[str], notes: list[str]
) -> Iterator[str | None]:
    """The texts under the keys; if there are none, the only one is added. Numbers are texts."""
    keys: dict[str, None] = {}
    bad, rows = _BadRows(path), 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield ""
            continue
        rows += 1
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            bad.add(number, f"{getattr(error, 'msg', error)}; wanted a JSON object")
            continue
        if not isinstance(row, dict):
            bad.add(number, f"a JSON {type(row).__name__}, wanted an object")
            continue
        columns += [] if columns else _only(path, list(row))
        keys |= {key: None for key in row if key in columns or len(keys) < _MOST_KEYS}
        values = [row.get(column) for column in columns]
        texts = [str(v) if _is_number(v) else v for v in values]
        wrong = [text for text in texts if not isinstance(text, str | None)]
        if wrong:
            column = columns[texts.index(wrong[0])]
            bad.add(number, f"{column!r} is {str(wrong[0])[:40]}, wanted a text")
            continue
        yield from texts
    bad.end(rows, notes)
    for column in columns:
        if column not in keys:
            raise InputError(f"{path} has no key {column!r}; it has {show(list(keys))}")


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _only(path: Path, names: list[str]) -> list[str]:
    if len(names) != 1 or not names[0]:
        raise InputError(f"{path}: which column has the headlines? It has {show(names)}")
    return names


def show(names: Sequence[str]) -> str:
    """The names of columns, for a message: of many the first, of long ones the beginning."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"
