"""A disk that fails at its n-th request: an open, write, flush, fsync or rename."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ERRORS = [errno.EIO, errno.ENOSPC, errno.EACCES]


@dataclass
class Disk:
    """fails_at: the request, from 1; 0: never.    failed: the kind of request that failed"""

    fails_at: int = 0
    error: int = errno.EIO
    asked: int = 0
    failed: str = ""

    def ask(self, what: str) -> None:
        self.asked += 1
        if self.asked == self.fails_at:
            self.failed = what
            raise OSError(self.error, os.strerror(self.error))


class _Raw(io.FileIO):
    disk: Disk

    def write(self, data: Any) -> int:
        """Write the data; or, if this request fails, half of it, as on a full disk."""
        try:
            self.disk.ask("write")
        except OSError:
            super().write(memoryview(data)[: len(data) // 2])
            raise
        return super().write(data)


class _Buffered(io.BufferedWriter):
    def flush(self) -> None:
        if not self.closed:
            self.raw.disk.ask("flush")  # type: ignore[attr-defined]
        super().flush()


@contextlib.contextmanager
def failing(disk: Disk) -> Iterator[Disk]:
    """In the block, binary files and renames go through a disk that fails."""
    opened, replaced, fsync = Path.open, Path.replace, os.fsync

    def open_(self: Path, mode: str = "r", *args: Any, **settings: Any) -> Any:
        if mode not in ("xb", "ab"):
            return opened(self, mode, *args, **settings)
        disk.ask("open")
        raw = _Raw(self, mode)
        raw.disk = disk
        return _Buffered(raw)

    def replace(self: Path, target: Path) -> Path:
        disk.ask("rename")
        return replaced(self, target)

    def fsync_(handle: int) -> None:
        disk.ask("fsync")
        fsync(handle)

    with (
        mock.patch.object(Path, "open", open_),
        mock.patch.object(Path, "replace", replace),
        mock.patch.object(os, "fsync", fsync_),
    ):
        yield disk
