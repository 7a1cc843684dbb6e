"""Checkpoints: named arrays and a description in one .npz, replaced as a whole or not at all."""

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

_META, _SHA256 = "meta", "sha256"  # two arrays besides the given ones: JSON, and a hash of the rest
_MAX_META = 1 << 20  # bytes; a parsed JSON takes many times its size
_MAX_DIRECTORY = 1 << 23  # bytes, of the table of members; 1,000 blocks take half of it


def save(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays and meta (anything JSON can hold) to `path`, with a SHA-256 of it all.

    They go to a temporary file beside it, to the disk, and only then in its place: after a failure
    or a power cut there is the old checkpoint or the new one, never half of one.

    Raises OSError where it cannot be written.
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
    """A binary file to write, which takes its place at `path` when the block ends well.

    One process at a time: the temporary file has always the same name, so that the next to write
    does away with what a killed one has left, or with a link that somebody has put there.
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
    """Write a text file in UTF-8 as a whole or not at all.

    A byte that is not UTF-8, as a file's name in the text may have, is spelt out.
    """
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def append_line(path: Path, text: str) -> None:
    """Add a line to a text file in UTF-8, down to the disk."""
    try:
        with path.open("ab") as file:
            file.write(text.encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def load(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and meta of a checkpoint. Nothing in it is executed.

    What its headers say is believed only as far as the file's own size goes, so that reading takes
    no more memory than a few times that. The arrays are read-only.

    Raises InputError where it is missing or not a checkpoint.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ValueError("it is no file")
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("error")  # what is worth a warning is nothing that `save` wrote
            arrays = _read(file)
        found = arrays.pop(_SHA256).tobytes()
        if found != _sha256(arrays):
            raise ValueError("its content is not what its SHA-256 says")
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
    """All arrays of an .npz. Raises what comes where it is none that `save` could have written."""
    arrays: dict[str, Array] = {}
    size = os.fstat(file.fileno()).st_size
    _check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(m.file_size for m in members) > size:
            raise ValueError("its members are larger than itself")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or name in arrays:
                raise ValueError(f"{member.filename} is compressed, or there twice")
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
    """Before zipfile parses a zip's table of members, which takes ten times as much memory.

    Its length is in the record that ends the file, of 22 bytes; or with zip64 in one of 56 bytes
    before that, with 20 between the two that say where it is.
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
    """Of names, dtypes, shapes and bytes, whatever the order and the memory layout."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.digest()


def _sync_directory(directory: Path) -> None:
    """Have the new name on disk too.

    Windows cannot open a directory, and needs no such thing; some network file systems cannot flush
    one, and say EINVAL.
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
