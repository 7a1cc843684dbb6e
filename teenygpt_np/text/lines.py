"""Read lines from files, plain or .gz, with any of the usual line ends."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from io import BufferedReader
from pathlib import Path

from teenygpt_np.errors import InputError

# There is a limit because a .gz of a few KB can unpack to more than memory holds. It is above csv's
# own limit of 128 KiB for a field, because the text of an article may be longer than that.
MOST_BYTES = 2**24  # in a line, or in all lines of one row of a .csv
_CHUNK = 2**20  # bytes read at a time


def lines_of(path: Path, notes: list[str]) -> Generator[str, None, None]:
    """Each line, with a newline at its end; NULs become spaces, a byte order mark is dropped.

    A line ends with LF, CR LF, or, in very old files, CR alone. Unicode's other line separators,
    such as U+0085 and U+2028, do not end a line.

    notes: gets a line if something was left out

    Raises InputError, with file and line, for a line that is too long or not UTF-8, and for a
    damaged gzip file; OSError if the file cannot be read.
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
            yield text.rstrip("\r\n") + "\n"  # LF and CR are its only line ends


def _lines_of_bytes(
    path: Path, file: gzip.GzipFile | BufferedReader, notes: list[str]
) -> Iterator[bytes]:
    """The lines with their ends. Bytes after the end of the gzip data are not read."""
    pending, begun = b"", False
    try:
        while chunk := file.read1(_CHUNK):  # read() would lose the bytes before an error
            begun = True
            # The last line may continue in the next chunk, or an LF may follow its CR there.
            *lines, pending = (pending + chunk).splitlines(keepends=True)
            yield from lines
            if len(pending) > MOST_BYTES:
                break
    except gzip.BadGzipFile as error:
        if not begun or not str(error).startswith("Not a gzipped file"):
            raise InputError(f"{path} is not a whole gzip file: {error}") from error
        notes.append("bytes after the end of the gzip data are not read")
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is not a whole gzip file: {error}") from error
    if pending:
        yield pending
