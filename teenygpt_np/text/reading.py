"""Text from a file or standard input: bytes unpacked, decoded in pieces, or cut into lines."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import itertools
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NamedTuple, cast

from teenygpt_np.errors import InputError
from teenygpt_np.ranks import ranks

STDIN = Path("-")  # as a path: standard input
# There is a limit because a .gz of a few KB can unpack to more than memory holds. It is above csv's
# own limit of 128 KiB for a field, because the text of an article may be longer than that.
LONGEST = 2**24  # characters in a line, or in all lines of one row of a .csv
_CHUNK = 2**20  # bytes decoded at a time
_CONTROLS = frozenset(range(1, 32)) - frozenset(b"\t\n\v\f\r\x1b")  # hardly ever in a text
_MOST_CONTROLS, _MOST_ACCENTS = 0.01, 0.3  # of a text's bytes; accents: those that are not ASCII


class _Opener(NamedTuple):
    """How a file is opened.    errors: what reading it raises if it is damaged"""

    opened: Callable[[Path], io.BufferedIOBase]
    kind: str = ""
    errors: tuple[type[Exception], ...] = ()


def _gzip() -> _Opener:
    return _Opener(gzip.GzipFile, "gzip", (gzip.BadGzipFile, EOFError, zlib.error))


def _zstd() -> _Opener:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise InputError(
            "reading .zst needs the extra zstd: pip install 'teenygpt-np[zstd]'"
        ) from None
    return _Opener(zstd.ZstdFile, "zstd", (zstd.ZstdError, EOFError))


COMPRESSIONS: dict[str, Callable[[], _Opener]] = {".gz": _gzip, ".zst": _zstd}


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise InputError where a file cannot be read."""
    try:
        yield
    except OSError as error:
        name = error.filename or shown(path)
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from error


def shown(path: Path) -> str:
    """A source's name, for a message."""
    return "standard input" if path == STDIN else str(path)


def stdin() -> io.BufferedIOBase:
    """Standard input's bytes. Raises InputError if closed, a terminal, or of several ranks."""
    if ranks().count > 1:  # MPI gives it to the first alone
        raise InputError(f"- is for one process, not {ranks().count}; wanted a file")
    if sys.stdin is None or sys.stdin.closed:  # None after `<&-`
        raise InputError("standard input is closed; wanted a text from a file or a pipe")
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal; wanted a text from a file or a pipe")
    return cast(io.BufferedIOBase, sys.stdin.buffer)


def check_encoding(name: str, setting: str = "encoding") -> None:
    """Raise InputError, about this setting, unless Python knows an encoding of that name."""
    try:
        "".encode(name)
        known = codecs.lookup(name).name not in ("idna", "punycode")  # of the names of computers
    except (LookupError, ValueError):  # none of that name; one of bytes, or a NUL in the name
        known = False
    if not known:
        raise InputError(
            f"{setting} is {name!r}, wanted the name of one, such as utf-8, utf-16 or cp1252"
        )


def lines_of(path: Path, encoding: str, notes: list[str]) -> Generator[str, None, None]:
    """Each line of a text, with a newline at its end; otherwise as `chunks_of`.

    Unicode's other line separators, such as U+0085 and U+2028, do not end a line.

    Raises InputError, with file and line, for a line that is too long, and as `chunks_of`.
    """
    pending, number = "", 1
    for text in chunks_of(path, encoding, notes):
        *lines, pending = (pending + text).split("\n")
        for line in lines:
            _check_length(path, number, line)
            yield line + "\n"
            number += 1
        _check_length(path, number, pending)
    if pending:
        yield pending + "\n"


def _check_length(path: Path, number: int, line: str) -> None:
    if len(line) > LONGEST:
        raise InputError(
            f"{shown(path)}, line {number}: more than {LONGEST:,} characters in one line"
        )


def chunks_of(path: Path, encoding: str, notes: list[str]) -> Generator[str, None, None]:
    """A text in pieces of about a million characters; a line may be of any length.

    All line ends, CR LF, LF, or, in very old files, CR alone, become a newline. NULs become spaces,
    a byte order mark is dropped.

    path: `STDIN` is standard input.    encoding: a name that Python's codecs know
    notes: gets a line if something was left out

    Raises InputError, with file, offset and line, for a byte that does not fit the encoding, and
    for a damaged or compressed file that cannot be unpacked; OSError if the file cannot be read.
    """
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    read, line, begun, before = 0, 1, False, b""
    for data in itertools.chain(_bytes_of(path, notes), [b""]):
        text, error = _decoded(decoder, data)
        read += len(data)
        text = (text if begun else text.removeprefix("\ufeff")).replace("\0", " ")
        if text:
            begun = True
            yield text
        line += text.count("\n")
        if error:
            offset = read - (len(error.object) - error.start)
            around = before + data
            advice = _advice(around, len(around) == read, encoding)
            raise InputError(
                f"{shown(path)}, line {line}: byte {error.object[error.start]:#04x} at offset "
                f"{offset:,} is not {encoding}; {advice}"
            ) from error
        before = data


def _decoded(
    decoder: io.IncrementalNewlineDecoder, data: bytes
) -> tuple[str, UnicodeDecodeError | None]:
    """The next text, up to the first byte that does not fit; and the error there, if any.

    No data: the end of the file, where a character must not lack a byte.
    """
    try:
        return decoder.decode(data, final=not data), None
    except UnicodeDecodeError as error:
        # Its object is what the decoder had kept of the data before, then the data.
        good = len(data) - (len(error.object) - error.start)
        with contextlib.suppress(UnicodeError):
            return decoder.decode(data[: max(good, 0)], final=good >= 0), error
        return "", error
    except UnicodeError as error:  # of UTF-16 without a mark, for one, which names no byte
        return "", UnicodeDecodeError("", data or b"\0", 0, 1, str(error))


def _advice(data: bytes, from_start: bool, tried: str) -> str:
    """What would probably read a text, by the bytes around one that does not fit its encoding.

    from_start: whether these bytes begin the file
    """
    guess = (_marked(data) if from_start else "") or _by_bytes(data)
    if guess is None:
        return "it does not look like a text"
    if not guess:
        return "wanted --encoding with the name of the one that it is in"
    if codecs.lookup(guess) in (codecs.lookup(tried), codecs.lookup(tried.removesuffix("-sig"))):
        return "most of the text is, so it is probably damaged there"
    return f"--encoding={guess} probably reads it"


def _marked(data: bytes) -> str:
    """The encoding whose byte order mark begins these bytes; '' if none does."""
    marks = [("utf-32", codecs.BOM_UTF32_LE), ("utf-32", codecs.BOM_UTF32_BE)]
    marks += [("utf-16", codecs.BOM_UTF16_LE), ("utf-16", codecs.BOM_UTF16_BE)]
    return next((name for name, mark in marks if data.startswith(mark)), "")


def _by_bytes(data: bytes) -> str | None:
    """A text's probable encoding; '' if there is none, None if it is probably no text."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if even + odd > len(data) / 4:
        return "utf-16-le" if odd > even else "utf-16-be"
    if sum(byte in _CONTROLS for byte in data) > _MOST_CONTROLS * len(data):
        return None
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(character > "\x7f" for character in text) - bad
    if good > bad or not bad:
        return "utf-8"
    if sum(byte > 0x7F for byte in data) <= _MOST_ACCENTS * len(data):
        with contextlib.suppress(UnicodeDecodeError):
            data.decode("cp1252")
            return "cp1252"
    return ""


def _bytes_of(path: Path, notes: list[str]) -> Iterator[bytes]:
    """A file's bytes, unpacked, about a million at a time. What follows gzip's data is not read."""
    packed = path.suffix.lower()
    plain = _Opener(lambda path: path.open("rb"))
    opener = COMPRESSIONS[packed]() if packed in COMPRESSIONS else plain
    parts: list[bytes] = []
    size, begun, damage = 0, False, None
    with contextlib.nullcontext(stdin()) if path == STDIN else opener.opened(path) as file:
        try:
            while part := file.read1(_CHUNK):  # read() would lose the bytes before an error
                begun = True
                parts.append(part)
                size += len(part)
                if size >= _CHUNK:
                    yield b"".join(parts)
                    parts, size = [], 0
        except opener.errors as error:
            damage = error
    if parts:
        yield b"".join(parts)
    if damage and begun and str(damage).startswith("Not a gzipped file"):
        notes.append("bytes after the end of the gzip data are not read")
    elif damage:
        raise InputError(f"{path} is not a whole {opener.kind} file: {damage}") from damage
