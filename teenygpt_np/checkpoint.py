"""Checkpoints: named arrays and a description in one .npz, written as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from minigrad import Array
from teenygpt_np.errors import InputError

_META, _SHA256 = "meta", "sha256"  # arrays that `save` adds: JSON, and a hash of all others
_MAX_META = 1 << 20  # bytes; JSON takes many times its size when it is parsed
_MAX_DIRECTORY = 1 << 23  # bytes of the zip's table of members; 1,000 blocks need half of it


def save(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays and meta (anything that JSON can hold) to `path`, with a SHA-256 of both.

    They are written to a temporary file in the same directory, flushed to disk, and only then
    renamed: after a failure or a power cut, `path` holds the old checkpoint or the new one, never
    half of one.

    Raises OSError if the file cannot be written.
    """
    arrays = {**arrays, _META: np.frombuffer(json.dumps(meta).encode("utf-8"), np.uint8)}
    sha256 = np.frombuffer(_sha256(arrays), np.uint8)
    with atomic_file(path) as file:
        _write(file, arrays | {_SHA256: sha256})


def _write(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """An .npz like that of `numpy.savez`, whose `allow_pickle` is an array to NumPy before 2.2."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write to, renamed to `path` when the block ends without an error.

    Only one process may write at a time, because the temporary file always has the same name. So
    the next process to write removes what a killed one left there, or a link that somebody put
    there.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, as a whole or not at all.

    What UTF-8 cannot encode (the name of a file may hold such characters) is written as an escape.
    """
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file, as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def append_line(path: Path, text: str) -> None:
    """Append a line to a text file in UTF-8, and flush it to disk."""
    try:
        with path.open("ab") as file:
            file.write(text.encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def load(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read the arrays and meta of a checkpoint. Nothing in it is executed.

    The sizes in its headers are checked against the size of the file, so reading takes at most a
    few times that much memory. The arrays are read-only.

    Raises InputError if the file is missing or not a checkpoint.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
            raise ValueError("it is no file")
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("error")  # a file that `save` wrote causes none
            arrays = _read(file)
        found = arrays.pop(_SHA256).tobytes()
        if found != _sha256(arrays):
            raise ValueError("its content does not match its SHA-256")
        meta = json.loads(arrays.pop(_META).tobytes().decode("utf-8"))
        if not isinstance(meta, dict):
            raise TypeError(f"its meta is a {type(meta).__name__}")
    except FileNotFoundError:
        raise InputError(f"{path} is not there; wanted a checkpoint") from None
    except Exception as error:  # a damaged zip can raise any error there is
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is no checkpoint: {reason[:200]}") from error
    return arrays, meta


def _read(file: IO[bytes]) -> dict[str, Array]:
    """Read all arrays of an .npz. Raises some exception if `save` cannot have written it."""
    arrays: dict[str, Array] = {}
    size = os.fstat(file.fileno()).st_size
    _check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(m.file_size for m in members) > size:
            raise ValueError("its members are larger than the file")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or name in arrays:
                raise ValueError(f"{member.filename} is compressed or appears twice")
            if name == _META and member.file_size > _MAX_META:
                raise ValueError(f"its meta is larger than {_MAX_META:,} bytes")
            with archive.open(member) as content:
                np.lib.format.read_magic(content)
                shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(content)
                data = content.read()
            if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != len(data):
                raise ValueError(f"{name} is no {dtype} of shape {shape}")
            array = np.frombuffer(data, dtype)
            arrays[name] = array.reshape(shape, order="F" if is_fortran else "C")
    return arrays


def _check_directory(file: IO[bytes], size: int) -> None:
    """Check the length of a zip's table of members: parsing it takes ten times as much memory.

    The length is in the record of 22 bytes that ends the file. With zip64 it is in a record of 56
    bytes further before; the 20 bytes between the two say where that one is.
    """
    file.seek(max(0, size - 98))
    end = file.read()
    is_zip64 = end[-42:-38] == b"PK\x06\x07"
    is_there = end[:4] == b"PK\x06\x06" and int.from_bytes(end[-34:-26], "little") == size - 98
    if end[-22:-18] != b"PK\x05\x06" or (is_zip64 and not is_there):
        raise ValueError("it is cut short, or no .npz")
    if int.from_bytes(end[-58:-50] if is_zip64 else end[-10:-6], "little") > _MAX_DIRECTORY:
        raise ValueError(f"its table of members is longer than {_MAX_DIRECTORY:,} bytes")


def _sha256(arrays: Mapping[str, Array]) -> bytes:
    """SHA-256 of names, dtypes, shapes and values; order and memory layout make no difference."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.digest()


def _sync_directory(directory: Path) -> None:
    """Flush a directory, so that the new name of the file is on disk too.

    Windows cannot open a directory. Some network file systems cannot flush one, and report EINVAL.
    """
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        finally:
            os.close(handle)
