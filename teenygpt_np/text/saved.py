"""A large text's token ids in a file, which is mapped into memory and made only once.

`found_or_made` is what others call. The file has the ids, then the other arrays, then JSON that
says where each is, and 16 bytes: the JSON's length, its CRC-32, and `_MAGIC`. The order of bytes is
in each array's dtype.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

import minigrad as mg
from teenygpt_np import checkpoint, locking
from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import Rows, Split, Windows
from teenygpt_np.text.files import files_of, kind_and_place
from teenygpt_np.text.mapping import mapped, offset_of
from teenygpt_np.text.report import Report
from teenygpt_np.text.tokenizer import Tokenizer, Unsigned
from teenygpt_np.text.tokenizers import described_tokenizer
from teenygpt_np.text.tuples import Pairs, Preferences

LARGE = 1 << 23  # bytes of a source from which on a file is worth it
MOST_HELD = 1 << 29  # ids in memory
VERSION = 2  # of the file, and of what becomes of a text

_MAGIC = b"IDS1"
_BLOCK = 1 << 22  # bytes that one checksum is of
_RETRY = 0.2  # seconds until a lock is tried again
_KINDS: dict[str, type[Split]] = {k.__name__: k for k in (Rows, Windows, Pairs, Preferences)}


class Sink(Protocol):
    """Where ids go, chunk by chunk, as a text is read."""

    def append(self, ids: Unsigned) -> None:
        """Take the next ids of the text."""

    def taken(self) -> Unsigned:
        """All ids that were taken since the last call."""


SinkOf = Callable[[npt.DTypeLike], Sink]  # for ids of a dtype
Tell = Callable[[str], None]  # is called with how far something is


class InMemory:
    """Ids of a text that is not large.

    Raises InputError for too many of them: a small compressed file can unpack to more than memory
    holds.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._parts, self._room = [np.zeros(0, dtype)], MOST_HELD

    def append(self, ids: Unsigned) -> None:
        """Take the next ids of the text."""
        self._room -= len(ids)
        if self._room < 0:
            raise InputError(f"the text is too large: more than {MOST_HELD:,} tokens in memory")
        self._parts.append(ids)

    def taken(self) -> Unsigned:
        """All ids that were taken since the last call."""
        ids = np.concatenate(self._parts)
        self._parts = [ids[:0]]
        return ids


class InFile:
    """Ids at the beginning of a new file that is open for writing."""

    def __init__(self, file: IO[bytes], dtype: npt.DTypeLike) -> None:
        self._file, self._dtype, self._begun = file, np.dtype(dtype), 0

    def append(self, ids: Unsigned) -> None:
        """Take the next ids of the text."""
        self._file.write(np.ascontiguousarray(ids).data)

    def taken(self) -> Unsigned:
        """All ids that were taken since the last call, mapped from the file."""
        self._file.flush()
        begun, self._begun = self._begun, self._file.tell()
        length = (self._begun - begun) // self._dtype.itemsize
        return mapped(Path(self._file.name), self._dtype, begun, length)


class Content(NamedTuple):
    """What is in the file of a text.    digest: `corpus.corpus_hash` of it"""

    splits: Mapping[str, Split]
    tokenizer: Tokenizer
    report: Report
    digest: str


def found_or_made(
    folder: Path,
    sources: Sequence[Path],
    settings: Mapping[str, Any],
    given: Tokenizer | None,
    tell: Tell,
    make: Callable[[SinkOf], Content],
) -> Content:
    """What the file of a text has; it is made if it is not there, or of no use.

    folder: where it is.    settings: all that says what becomes of the text.    given: the
    tokenizer that it must have; None: any.    tell: is called while another process holds the file
    make: reads the text, its ids into sinks
    """
    key = key_of(sources, settings)
    path = folder / f".text-{key[:16]}.ids"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_suffix(".lock"), tell):
        why = ""
        try:
            content = load(path, key)
            if given in (None, content.tokenizer):
                return content
            why = "has another tokenizer"
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = str(error)
        remove_stale(folder)
        with checkpoint.atomic_file(path) as file:
            made = make(lambda dtype: InFile(file, dtype))
            described = {
                "key": key,
                "sources": state_of(sources),
                "digest": made.digest,
                "tokenizer": made.tokenizer.description(),
                "report": vars(made.report),
            }
            complete(file, described, made.splits)
            del made  # so that its file is mapped no more, and can be renamed on any system
        content = load(path, key)
    if why:
        content.report.notes.append(f"{path} {why}, made again")
    return content


@contextlib.contextmanager
def _locked(path: Path, tell: Tell) -> Iterator[None]:
    """Hold a lock, as soon as no other process does."""
    while True:
        try:
            file = locking.lock(path)
            break
        except locking.HeldError as held:
            tell(f"waiting for process {held}, which reads the same text")
            time.sleep(_RETRY)
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def complete(file: IO[bytes], described: dict[str, Any], splits: Mapping[str, Split]) -> None:
    """Write all but the ids, which an `InFile` has written.

    described: the key by which `load` knows the file again, the state of its sources, the digest of
    the text, its tokenizer's description and its report
    """
    file.flush()
    path = Path(file.name)
    places = {}
    for name, split in splits.items():
        first = offset_of(split.ids)
        arrays = {"ids": [split.ids.dtype.str, first, len(split.ids)]}
        for field, array in split.places().items():
            file.write(b"\0" * (-file.tell() % array.itemsize))
            arrays[field] = [array.dtype.str, file.tell(), len(array)]
            file.write(np.ascontiguousarray(array).data)
        places[name] = {"kind": type(split).__name__, "arrays": arrays}
    file.flush()
    crc = _crc(path, file.tell())
    text = json.dumps(described | {"splits": places, "crc": crc}).encode("utf-8")
    file.write(text + len(text).to_bytes(8, "little"))
    file.write(zlib.crc32(text).to_bytes(4, "little") + _MAGIC)


def load(path: Path, key: str) -> Content:
    """Map what `complete` wrote.

    Raises ValueError if the file is damaged or has another key, OSError if it cannot be read.
    """
    described, size = _described(path)
    if described["key"] != key:
        raise ValueError("is of another text")
    if _crc(path, size) != described["crc"]:
        raise ValueError("is damaged")
    tokenizer = described_tokenizer(described["tokenizer"])
    report = described["report"] | {"replaced": Counter(described["report"]["replaced"])}
    splits = {}
    for name, split in described["splits"].items():
        arrays = {field: mapped(path, *where) for field, where in split["arrays"].items()}
        splits[name] = _KINDS[split["kind"]].of_arrays(arrays, tokenizer)
    return Content(splits, tokenizer, Report(**report), described["digest"])


def _described(path: Path) -> tuple[dict[str, Any], int]:
    """The JSON at a file's end, and how many bytes come before it. Raises as `load` does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 16))
        tail = file.read(16)
        length = int.from_bytes(tail[:8], "little")
        if tail[12:] != _MAGIC or length > size - 16:
            raise ValueError("is not whole")
        file.seek(size - 16 - length)
        text = file.read(length)
    if zlib.crc32(text) != int.from_bytes(tail[8:12], "little"):
        raise ValueError("is damaged")
    return json.loads(text), size - 16 - length


def state_of(sources: Sequence[Path]) -> list[list[Any]]:
    """Where each source is, how large, and when it was last changed, for `remove_stale`."""
    found = []
    for source in sources:
        stats = [path.stat() for path in files_of(source)]
        size, changed = (
            sum(s.st_size for s in stats),
            max((s.st_mtime_ns for s in stats), default=0),
        )
        found.append([os.path.abspath(source), size, changed])
    return found


def remove_stale(folder: Path) -> None:
    """Remove files of texts that are gone or have changed, and halves that killed processes left.

    A file that another process makes or loads, which it locks, stays.
    """
    for path in [*folder.glob(".text-*.ids"), *folder.glob("..text-*.ids.tmp")]:
        is_half = path.suffix == ".tmp"
        ids = path.with_name(path.name[1:-4]) if is_half else path
        lock = ids.with_suffix(".lock")
        with contextlib.suppress(OSError, locking.HeldError), locking.lock(lock):
            if is_half or _is_stale(path):
                path.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


def _is_stale(path: Path) -> bool:
    try:
        recorded = _described(path)[0]["sources"]
        return recorded != state_of([Path(source) for source, *_ in recorded])
    except (OSError, ValueError, KeyError, TypeError):
        return True


def is_large(sources: Sequence[Path]) -> bool:
    """Whether sources are so large that their ids are kept in a file."""
    files = [path for source in sources for path in files_of(source) if path.is_file()]
    return sum(path.stat().st_size for path in files) >= LARGE


def key_of(sources: Sequence[Path], settings: Mapping[str, Any]) -> str:
    """SHA-256 of the settings that say what becomes of sources, and of their files' blocks."""
    digest = hashlib.sha256(json.dumps([VERSION, sys.byteorder, settings]).encode("utf-8"))
    for source in sources:
        for path in files_of(source):
            digest.update(f"\n{kind_and_place(path, source)}\n".encode("utf-8", "replace"))
            size = path.stat().st_size
            digest.update(_of_blocks(path, size, lambda block: hashlib.sha256(block).digest()))
    return digest.hexdigest()


def _crc(path: Path, size: int) -> int:
    """The CRC-32 of the CRC-32s of a file's first blocks."""
    return zlib.crc32(_of_blocks(path, size, lambda block: zlib.crc32(block).to_bytes(4, "little")))


def _of_blocks(path: Path, size: int, checksum: Callable[[bytes], bytes]) -> bytes:
    """The checksums of a file's first `size` bytes, block by block, shared among threads."""

    def of_block(start: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return checksum(file.read(min(_BLOCK, size - start)))

    starts = range(0, size, _BLOCK)
    if len(starts) < 2:
        return b"".join(map(of_block, starts))
    with ThreadPoolExecutor(mg.get_num_threads()) as pool:
        return b"".join(pool.map(of_block, starts))
