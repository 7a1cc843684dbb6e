"""Read texts from files: .txt, .csv, .tsv and .jsonl, plain or .gz. Errors name the line."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from teenygpt_np.errors import InputError
from teenygpt_np.text.lines import MOST_BYTES, lines_of

SPLITS = ("train", "val", "test")


class _Dialect(NamedTuple):
    """A table's own separator, which its first line may overrule, and how its fields are quoted."""

    separator: str
    quoting: Literal[0, 3]


# In a .tsv a quote is an ordinary character.
_TABLES = {".csv": _Dialect(",", csv.QUOTE_MINIMAL), ".tsv": _Dialect("\t", csv.QUOTE_NONE)}
_LINES_OF_JSON = (".jsonl", ".ndjson", ".jl", ".json")
_KINDS = (".txt", *_TABLES, *_LINES_OF_JSON)
_FILES = "a .txt, .csv, .tsv or .jsonl file, plain or .gz"
_WANTED = f"a directory with train.txt, val.txt and test.txt, or {_FILES}"
_SEPARATORS = {",": "','", "\t": "a tab", ";": "';'", "|": "'|'"}
_BAD_SHARE = 0.01  # of a table's rows: up to this many may be damaged
_MOST_KEYS = 1000  # of a .jsonl, remembered for an error message
_MOST_TEXTS, _MOST_CHARACTERS = 10**7, 2**29  # in a file

Texts = list[str | None]  # None for a missing value


def read_texts(
    source: Path, columns: Sequence[str], notes: list[str]
) -> tuple[dict[str, Texts], list[str]]:
    """Read a directory's splits, or a file as the split "all".    -> texts by split, columns

    notes: gets a line for whatever was left out, or read in a way that may not be meant

    Raises InputError, with file and line, for anything that cannot be used; OSError if a file
    cannot be read.
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
    if not source.is_file():  # reading a pipe would wait for a writer
        raise InputError(f"{source} is no file; wanted {_WANTED}")
    name = source.name.lower()
    kind = Path(name.removesuffix(".gz")).suffix
    if name.endswith(".gz") and not kind:
        kind = _looked_into(source, notes)
    if kind not in _KINDS:
        raise InputError(f"{source} has the suffix {kind!r}; wanted {_FILES}")
    if kind == ".txt":
        _no_columns(source, columns)
        return {"all": _read(source, _text, notes)}, []
    found = list(columns)
    limit = csv.field_size_limit(MOST_BYTES)
    try:
        if kind in _LINES_OF_JSON:
            texts = _read(source, lambda lines: _objects(source, lines, found, notes), notes)
        else:
            texts = _read(
                source, lambda lines: _table(source, lines, found, _TABLES[kind], notes), notes
            )
        return {"all": texts}, found
    finally:
        csv.field_size_limit(limit)


def _read(
    path: Path, texts_of: Callable[[Iterator[str]], Iterator[str | None]], notes: list[str]
) -> Texts:
    """The texts that `texts_of` makes of a file's lines. The file is closed in any case."""
    with contextlib.closing(lines_of(path, notes)) as lines:
        return _collect(path, texts_of(lines))


def _looked_into(path: Path, notes: list[str]) -> str:
    """Guess the kind of a .gz without an inner suffix by its first line; returns the suffix."""
    with contextlib.closing(lines_of(path, [])) as lines:
        first = next((line for line in lines if line.strip()), "")
    kind = ".jsonl" if first.lstrip().startswith("{") else ".txt"
    notes.append(f"read as a {kind}.gz (a table needs .csv.gz or .tsv.gz as its suffix)")
    return kind


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


def _text(lines: Iterator[str]) -> Iterator[str]:
    return (line.removesuffix("\n") for line in lines)


class _BadRows:
    """Damaged rows: they are left out and counted, as long as they are few."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.first = path, 0, ""

    def add(self, number: int, what: str) -> None:
        """Count a damaged row, on this line, with what is wrong with it."""
        self.count += 1
        self.first = self.first or f"line {number}: {what}"

    def end(self, rows: int, notes: list[str]) -> None:
        """Note how many were left out. Raises InputError if they are too many of all `rows`."""
        if self.count > _BAD_SHARE * rows:
            raise InputError(
                f"{self.path}, {self.first}; {self.count:,} of {rows:,} rows are like that, wanted "
                f"at most {_BAD_SHARE:.0%}"
            )
        if self.count:
            notes.append(f"{self.count:,} bad rows left out, the first on {self.first}")


def _table(
    path: Path, lines: Iterator[str], columns: list[str], dialect: _Dialect, notes: list[str]
) -> Iterator[str | None]:
    """The texts in `columns`. If that is empty, the table's only column is appended to it.

    A number that is not the name of a column counts columns from 1: then the table has no header.
    """
    begin, first = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (1, ""))
    lines = itertools.chain([first], lines)
    bad, rows = _BadRows(path), 0
    separator = _separator(first, columns, dialect)
    guessed = separator != dialect.separator
    if guessed:
        notes.append(f"fields are separated by {_SEPARATORS[separator]}")
    reader = (
        _plain_rows(lines, separator, begin)
        if dialect.quoting == csv.QUOTE_NONE
        else _csv_rows(path, lines, separator, bad, begin)
    )
    begin, header = next(reader, (begin, []))
    if not header:
        raise InputError(f"{path} is empty; wanted a header that names the columns")
    columns += [] if columns else _only(path, header)
    places = [_place(path, column, header) for column in columns]
    has_header = any(column in header for column in columns)
    if not has_header:
        notes.append("no header, as the columns are numbers")
        reader = itertools.chain([(begin, header)], reader)
    for number, row in reader:
        if not row:
            yield ""
        # A guessed separator may be a character of the texts: then rows differ in length.
        elif len(row) > len(header) or (guessed and len(row) < len(header)):
            bad.add(number, f"{len(row)} fields, wanted {len(header)}")
        else:
            rows += 1
            for place in places:
                yield row[place] if place < len(row) else None
    bad.end(rows + bad.count, notes)


def _separator(first: str, columns: Sequence[str], dialect: _Dialect) -> str:
    """The separator of a table's fields, by its first line; the dialect's own is tried first.

    It is the first that gives the columns asked for; or else the first that gives more than one
    column; or else the dialect's own.
    """
    own, quoting = dialect
    fields = {
        s: next(csv.reader([first], delimiter=s, quoting=quoting), []) for s in (own, *_SEPARATORS)
    }
    named = (s for s in fields if columns and all(c in fields[s] for c in columns))
    several = (s for s in fields if len(fields[s]) > 1)
    return next(itertools.chain(named, several), own)


def _place(path: Path, column: str, header: list[str]) -> int:
    """The position of a column, given by its name, or by its number counted from 1."""
    if header.count(column) > 1:
        raise InputError(f"{path} has {header.count(column)} columns {column!r}, wanted one")
    if column in header:
        return header.index(column)
    if column.isdecimal() and 1 <= int(column) <= len(header):
        return int(column) - 1
    raise InputError(f"{path} has no column {column!r}; it has {show(header)}")


def _plain_rows(
    lines: Iterable[str], separator: str, begin: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table without quoting, each with the number of its line."""
    for number, line in enumerate(lines, begin):
        text = line.removesuffix("\n")
        yield number, text.split(separator) if text else []


def _csv_rows(
    path: Path, lines: Iterable[str], separator: str, bad: _BadRows, begin: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with quoting, each with the number of the line where it begins."""
    number, size = begin, 0

    def measured() -> Iterator[str]:
        nonlocal size
        for line in lines:
            size += len(line)
            if size > MOST_BYTES:
                raise InputError(
                    f"{path}, the row from line {number}: more than {MOST_BYTES:,} characters"
                )
            yield line

    # strict: otherwise a quote that is not closed makes one headline of the rest of the file.
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
        number, size = reader.line_num + begin, 0


def _objects(
    path: Path, lines: Iterator[str], columns: list[str], notes: list[str]
) -> Iterator[str | None]:
    """The texts under the keys in `columns`. If that is empty, the only key is appended to it.

    A number is taken as its text.
    """
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
            bad.add(number, f"{getattr(error, 'msg', error)}; wanted a JSON object in each line")
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
        raise InputError(
            f"{path} has columns {show(names)}; wanted --column with the one of the headlines"
        )
    return names


def show(names: Sequence[str]) -> str:
    """The names of columns, for a message: the first 20, each cut to 40 characters."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"
