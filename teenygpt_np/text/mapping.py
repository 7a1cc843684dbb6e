"""Arrays that lie in a file and are mapped into memory."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]


def mapped(path: Path, dtype: npt.DTypeLike, offset: int, length: int) -> AnyArray:
    """An array that lies in a file, from this byte on."""
    return np.memmap(path, dtype, "r", offset, (length,)) if length else np.zeros(0, dtype)


def offset_of(array: AnyArray) -> int:
    """The byte in the file at which an array lies that `mapped` gave, or a part of one."""
    base: Any = array
    while isinstance(base.base, np.memmap):
        base = base.base
    return int(base.offset + array.ctypes.data - base.ctypes.data)


def release(array: AnyArray) -> None:
    """Give back the memory of what was read of a mapped array; the system reads it again if needed.

    Otherwise a process would in the end hold the whole file. An array in memory is left alone, as
    is a mapped one where a system cannot do this.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        with contextlib.suppress(AttributeError, OSError):
            base.madvise(mmap.MADV_DONTNEED)
