"""Texts in columns: the rows of .csv, .tsv, .jsonl and .parquet. Errors name the line."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from teenygpt_np.errors import InputError
from teenygpt_np.text.reading import LONGEST, lines_of

_SEPARATORS = {",": "','", "\t": "a tab", ";": "';'", "|": "'|'"}
_BAD_SHARE = 0.01  # of a table's rows: up to this many may be damaged
_MOST_KEYS = 1000  # of a .jsonl, remembered for an error message
_ROWS = 1024  # of a .parquet, in memory at a time


class _Dialect(NamedTuple):
    """A table's own separator, which its first line may overrule, and how its fields are quoted."""

    separator: str
    quoting: Literal[0, 3]


_CSV = _Dialect(",", csv.QUOTE_MINIMAL)
_TSV = _Dialect("\t", csv.QUOTE_NONE)  # a quote is an ordinary character


def csv_texts(
    path: Path, columns: list[str], encoding: str, notes: list[str]
) -> Generator[str | None, None, None]:
    """The texts in `columns` of a .csv, row by row; None where a row does not have the column.

    columns: names, or numbers counted from 1, for a table without a header. If it is empty, the
    table's only column is appended to it.    encoding, notes: as for `reading.lines_of`

    Raises InputError for a table without such columns, and where many rows are damaged.
    """
    return _with_long_fields(_table(path, lines_of(path, encoding, notes), columns, _CSV, notes))


def tsv_texts(
    path: Path, columns: list[str], encoding: str, notes: list[str]
) -> Generator[str | None, None, None]:
    """The texts in `columns` of a .tsv, as `csv_texts`; but a quote is an ordinary character."""
    return _with_long_fields(_table(path, lines_of(path, encoding, notes), columns, _TSV, notes))


def _with_long_fields(texts: Iterator[str | None]) -> Generator[str | None, None, None]:
    """The same texts; while they are read, csv takes fields as long as a line may be."""
    limit = csv.field_size_limit(LONGEST)
    try:
        yield from texts
    finally:
        csv.field_size_limit(limit)


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
) -> Generator[str | None, None, None]:
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
            yield from [""] * len(places)
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
            if size > LONGEST:
                raise InputError(
                    f"{path}, the row from line {number}: more than {LONGEST:,} characters"
                )
            yield line

    # strict: otherwise a quote that is not closed makes one text of the rest of the file.
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


def json_texts(
    path: Path, columns: list[str], encoding: str, notes: list[str]
) -> Generator[str | None, None, None]:
    """The texts under the keys in `columns` of a .jsonl, as `csv_texts`. A number becomes text."""
    keys: dict[str, None] = {}
    bad, rows = _BadRows(path), 0
    for number, line in enumerate(lines_of(path, encoding, notes), 1):
        if not line.strip():
            yield from [""] * max(len(columns), 1)
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
        if rows and column not in keys:  # of an empty file more can be said elsewhere
            raise InputError(f"{path} has no key {column!r}; it has {show(list(keys))}")


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def parquet_texts(
    path: Path, columns: list[str], encoding: str, notes: list[str]
) -> Generator[str | None, None, None]:
    """The texts in `columns` of a .parquet, as `csv_texts`; they must be columns of texts.

    A part of the rows is read at a time. encoding: not used, because the file itself says it
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(
            "reading .parquet needs the extra parquet: pip install 'teenygpt-np[parquet]'"
        ) from None
    with path.open("rb") as file:
        try:
            table = ParquetFile(file)
            header = table.schema_arrow.names
            kinds = table.schema_arrow.types
            if not columns:
                columns += _only(
                    path, [n for n, k in zip(header, kinds, strict=True) if _is_text(k)]
                )
            places = [_place(path, column, header) for column in columns]
            for place in places:
                if not _is_text(kinds[place]):
                    raise InputError(
                        f"{path} has {kinds[place]} in column {header[place]!r}, wanted texts"
                    )
            names = [header[place] for place in places]
            for rows in table.iter_batches(_ROWS, columns=names):
                texts = [rows.column(name).to_pylist() for name in names]
                yield from itertools.chain.from_iterable(zip(*texts, strict=True))
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            told = " ".join(str(error).split())
            raise InputError(f"{path} is not a whole parquet file: {told}") from error


def _is_text(kind: object) -> bool:
    """Whether a column's type in pyarrow is one of texts, which may be numbered in a dictionary."""
    name = str(kind).removeprefix("dictionary<values=").partition(",")[0]
    return name in ("string", "large_string", "string_view")


def _only(path: Path, names: list[str]) -> list[str]:
    if len(names) != 1 or not names[0]:
        raise InputError(
            f"{path} has columns {show(names)}; wanted --column with the one of the text"
        )
    return names


def show(names: Sequence[str]) -> str:
    """The names of columns, for a message: the first 20, each cut to 40 characters."""
    shown = ", ".join(repr(name[:40]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"
