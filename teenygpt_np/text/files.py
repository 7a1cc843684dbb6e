"""Texts from files: the formats that can be read, and what is told of one that cannot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from teenygpt_np.errors import InputError
from teenygpt_np.text.reading import COMPRESSIONS, STDIN, lines_of, readable, shown
from teenygpt_np.text.tables import csv_texts, json_texts, parquet_texts, tsv_texts

SPLITS = ("train", "val", "test")
_MOST_TEXTS, _MOST_CHARACTERS = 10**9, 2**36  # in a file

Reader = Callable[[Path, list[str], str, list[str]], Generator[str | None, None, None]]


class Format(NamedTuple):
    """A kind of file.    suffixes: the first is shown, the others mean the same

    texts: (path, columns, encoding, notes) -> the file's texts, in their order
    columns: whether it has any; if not, it is one text, and `texts` are its lines
    packed: whether it may be compressed as a whole
    """

    suffixes: tuple[str, ...]
    texts: Reader
    columns: bool = True
    packed: bool = True


def _lines(
    path: Path, columns: Sequence[str], encoding: str, notes: list[str]
) -> Generator[str | None, None, None]:
    return (line.removesuffix("\n") for line in lines_of(path, encoding, notes))


FORMATS = (
    Format((".txt",), _lines, columns=False),
    Format((".md", ".markdown"), _lines, columns=False),
    Format((".csv",), csv_texts),
    Format((".tsv",), tsv_texts),
    Format((".jsonl", ".ndjson", ".jl", ".json"), json_texts),
    Format((".parquet",), parquet_texts, packed=False),
)
_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}


def _list(names: Iterable[str], last: str) -> str:
    *most, end = names
    return f"{', '.join(most)} {last} {end}"


_COLUMNED = _list((f.suffixes[0] for f in FORMATS if f.columns), "and")
FILES = (
    f"a {_list((f.suffixes[0] for f in FORMATS), 'or')} file, "
    f"{_list(['plain', *COMPRESSIONS], 'or')}"
)
_WANTED = f"a directory with train.txt, val.txt and test.txt, or {FILES}"


@dataclass(frozen=True)
class FileTexts:
    """The texts of a file, None for a missing value. Each time they are iterated, they are read.

    columns: if it is empty and the file has one column, its name is appended
    notes: gets a line for whatever was left out, or read in a way that may not be meant

    Raises InputError, with file and line, for anything that cannot be used.
    """

    path: Path
    columns: list[str]
    encoding: str
    notes: list[str]

    def __iter__(self) -> Iterator[str | None]:
        format = format_of(self.path, self.encoding, self.notes)
        if self.columns and not format.columns:
            raise InputError(
                f"column {self.columns[0]!r} is for {_COLUMNED} files, and {shown(self.path)} has "
                "none"
            )
        count = characters = 0
        texts = format.texts(self.path, self.columns, self.encoding, self.notes)
        with contextlib.closing(texts), readable(self.path):
            for text in texts:
                count += 1
                characters += len(text or "")
                if count > _MOST_TEXTS or characters > _MOST_CHARACTERS:
                    raise InputError(
                        f"{shown(self.path)} is too large: more than {_MOST_TEXTS:,} lines, or "
                        f"{_MOST_CHARACTERS:,} characters in them"
                    )
                yield text


def read_texts(
    source: Path, columns: Sequence[str], encoding: str, split_on: str, notes: list[str]
) -> tuple[dict[str, FileTexts], list[str]]:
    """The texts of a directory's splits, or of a file as the split "all".    -> texts, columns

    source: `reading.STDIN` is standard input, where the texts are lines
    split_on: is for running text only

    Raises InputError for what is neither.
    """
    found = list(columns)
    if source.is_dir():
        missing = [f"{name}.txt" for name in SPLITS if not (source / f"{name}.txt").is_file()]
        if missing:
            raise InputError(
                f"{source} has no {', '.join(missing)}; wanted {_WANTED}; or --text=running, for "
                "which each file in a directory is a document"
            )
        paths = {name: source / f"{name}.txt" for name in SPLITS}
    elif source == STDIN or source.is_file():
        paths = {"all": source}
    else:
        what = "is no file" if source.exists() else "is not there"
        raise InputError(f"{source} {what}; wanted {_WANTED}")
    return {name: FileTexts(path, found, encoding, notes) for name, path in paths.items()}, found


def files_of(source: Path) -> list[Path]:
    """The files of a source: itself, or those of a directory, at any depth, but no hidden ones."""
    if not source.is_dir():
        return [source]
    found = sorted(source.rglob("*"))
    return [
        path
        for path in found
        if path.is_file() and not any(n.startswith(".") for n in path.relative_to(source).parts)
    ]


def kind_and_place(path: Path, source: Path) -> str:
    """What of a file's name says how it is read: its suffixes; in a directory, its place there."""
    return path.relative_to(source).as_posix() if source.is_dir() else "".join(_suffixes(path))


def format_of(path: Path, encoding: str, notes: list[str]) -> Format:
    """The format of a file, by its suffix; a compressed one without another is looked into.

    Raises InputError if it is none, or no file.
    """
    if path == STDIN:
        return FORMATS[0]
    if not path.exists():
        raise InputError(f"{path} is not there; wanted {FILES}")
    if not path.is_file():  # reading a pipe would wait for a writer
        raise InputError(f"{path} is no file; wanted {FILES}")
    suffix, packed = _suffixes(path)
    suffix = suffix or (_looked_into(path, packed, encoding, notes) if packed else "")
    format = _BY_SUFFIX.get(suffix)
    if format is None:
        what = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise InputError(f"{path} has {what}; wanted {FILES}; or --text=running, for any file")
    if packed and not format.packed:
        raise InputError(f"{path} is compressed as a whole; wanted the {suffix} itself")
    return format


def has_columns(path: Path) -> bool:
    """Whether a file is a table or JSON, by its suffix."""
    format = _BY_SUFFIX.get(_suffixes(path)[0])
    return format is not None and format.columns


def _suffixes(path: Path) -> tuple[str, str]:
    """The suffix of a file's format, and behind it that of a compression; '' for none."""
    last = path.suffix.lower()
    return (path.with_suffix("").suffix.lower(), last) if last in COMPRESSIONS else (last, "")


def _looked_into(path: Path, packed: str, encoding: str, notes: list[str]) -> str:
    """Guess the format of a compressed file by its first line; returns the suffix."""
    with contextlib.closing(lines_of(path, encoding, [])) as lines:
        first = next((line for line in lines if line.strip()), "")
    suffix = ".jsonl" if first.lstrip().startswith("{") else ".txt"
    notes.append(
        f"read as a {suffix}{packed} (a table needs .csv{packed} or .tsv{packed} as its suffix)"
    )
    return suffix
