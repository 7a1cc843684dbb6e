"""Texts out of files: .txt, .csv, .tsv and .jsonl, plain or .gz, errors by line number."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from teenygpt_np.errors import InputError

SPLITS = ("train", "val", "test")

_KINDS = (".txt", ".csv", ".tsv", ".jsonl")
_FILES = "a .txt, .csv, .tsv or .jsonl file, plain or .gz"
_WANTED = f"a directory with train.txt, val.txt and test.txt, or {_FILES}"
_FIELD_LIMIT = 2**24  # csv's own is 128 KiB, which the text of an article may well exceed


def read_texts(source: Path, columns: Sequence[str]) -> dict[str, list[str | None]]:
    """The texts of each split of a directory, or of a file as "all"; None for a missing value."""
    if not source.exists():
        raise InputError(f"{source} is not there; wanted {_WANTED}")
    if source.is_dir():
        missing = [f"{name}.txt" for name in SPLITS if not (source / f"{name}.txt").is_file()]
        if missing:
            raise InputError(f"{source} has no {', '.join(missing)}; wanted {_WANTED}")
        _no_columns(source, columns)
        return {name: list(_text(source / f"{name}.txt")) for name in SPLITS}
    kind = Path(source.name.lower().removesuffix(".gz")).suffix
    if kind not in _KINDS:
        raise InputError(f"{source} has the suffix {kind!r}; wanted {_FILES}")
    if kind == ".txt":
        _no_columns(source, columns)
        return {"all": list(_text(source))}
    if kind == ".jsonl":
        return {"all": list(_objects(source, columns))}
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        return {"all": list(_table(source, columns, delimiter="\t" if kind == ".tsv" else ","))}
    finally:
        csv.field_size_limit(limit)


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
            for number, line in enumerate(file, 1):
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


def _table(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[str | None]:
    rows = _rows(path, delimiter)
    _, header = next(rows, (1, []))
    if not header:
        raise InputError(f"{path} is empty on line 1; wanted a header that names the columns")
    columns = columns or _only(path, header)
    for column in columns:
        if column not in header:
            raise InputError(f"{path} has no column {column!r}; it has {_names(header)}")
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


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with the number of the line where it begins."""
    number = 1
    try:
        # strict: otherwise a quote that is never closed makes one headline of the rest of the file.
        reader = csv.reader(_lines(path), delimiter=delimiter, strict=True)
        for row in reader:
            yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}, the row from line {number}: {error}; wanted fields as csv quotes them"
        ) from error


def _objects(path: Path, columns: Sequence[str]) -> Iterator[str | None]:
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
        columns = columns or _only(path, list(row))
        keys |= dict.fromkeys(row)
        for column in columns:
            value = row.get(column)
            if value is not None and not isinstance(value, str):
                raise InputError(
                    f"{path}, line {number}: {column!r} is {str(value)[:40]}, wanted a text"
                )
            yield value
    for column in columns:
        if column not in keys:
            raise InputError(f"{path} has no key {column!r}; it has {_names(list(keys))}")


def _only(path: Path, names: list[str]) -> list[str]:
    if len(names) != 1:
        raise InputError(f"{path}: which column has the headlines? It has {_names(names)}")
    return names


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"
