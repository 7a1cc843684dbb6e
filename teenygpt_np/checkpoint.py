"""Checkpoints: named arrays and a description in one .npz, replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.layers import Array

_META = "meta"


def save(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays and meta (anything JSON can hold) to `path`.

    They go to a temporary file beside it, to the disk, and only then in its place: after a failure
    or a power cut there is the old checkpoint or the new one, never half of one.

    Raises OSError where it cannot be written.
    """
    described = np.frombuffer(json.dumps(meta).encode("utf-8"), np.uint8)
    with atomic_file(path) as file:
        np.savez(file, allow_pickle=False, **{_META: described}, **arrays)


@contextlib.contextmanager
def atomic_file(path: Path) -> Any:
    """A binary file to write, which takes its place at `path` when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 as a whole or not at all."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8"))


def load(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and meta of a checkpoint. Nothing in it is executed.

    Raises InputError where it is missing or not a checkpoint.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    array = np.lib.format.read_array(member, allow_pickle=False)
                    arrays[name.removesuffix(".npy")] = array
        meta = json.loads(arrays.pop(_META).tobytes().decode("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is not there; wanted a checkpoint") from None
    except Exception as error:  # a damaged zip can raise any error there is
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is no checkpoint: {reason}") from error
    if not isinstance(meta, dict):
        raise InputError(f"{path} is no checkpoint: its meta is a {type(meta).__name__}")
    return arrays, meta


def _sync_directory(directory: Path) -> None:
    """Have the new name on disk too; Windows cannot open a directory, and needs no such thing."""
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
