"""Lines out of files, plain or .gz, with any of the usual ends."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from io import BufferedReader
from pathlib import Path

from teenygpt_np.errors import InputError

# A few KB of .gz may unpack to more than any memory holds. On the other hand the text of an article
# may well exceed the 128 KiB to which csv limits a field.
MOST_BYTES = 2**24  # in a line, or in the several of a .csv's row
_CHUNK = 2**20  # bytes that are read at once


def lines_of(path: Path, notes: list[str]) -> Generator[str, None, None]:
    """Each line with a newline at its end; NULs become spaces, a byte order mark is dropped.

    A line ends with LF, CR LF, or as long ago CR alone; other separators of lines, such as U+0085
    and U+2028, are white space inside it.
    """
    zipped = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        for number, line in enumerate(_lines_of_bytes(path, file, notes), 1):
            if len(line) > MOST_BYTES:
                raise InputError(
                    f"{path}, line {number}: more than {MOST_BYTES:,} bytes in one line"
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
            yield text.rstrip("\r\n") + "\n"  # bytes have no other ends of lines


def _lines_of_bytes(
    path: Path, file: gzip.GzipFile | BufferedReader, notes: list[str]
) -> Iterator[bytes]:
    """The lines with their ends. What is behind the end of a gzip file is not read."""
    pending, begun = b"", False
    try:
        while chunk := file.read1(_CHUNK):  # read would lose what stands before an error
            begun = True
            # The last line may go on, or its CR be followed by an LF.
            *lines, pending = (pending + chunk).splitlines(keepends=True)
            yield from lines
            if len(pending) > MOST_BYTES:
                break
    except gzip.BadGzipFile as error:
        if not begun or not str(error).startswith("Not a gzipped file"):
            raise InputError(f"{path} is not a whole gzip file: {error}") from error
        notes.append("bytes behind the end of the gzip file are not read")
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is not a whole gzip file: {error}") from error
    if pending:
        yield pending
