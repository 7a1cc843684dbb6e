"""Locks between processes, which the system releases when a process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

_BEHIND_PID = 1 << 20


class HeldError(Exception):
    """Another process holds a lock; its number."""


def lock(path: Path) -> IO[bytes]:
    """Lock a file, which is made if it is not there, until the returned file is closed.

    On a file system without locks nothing is locked. Raises HeldError if another process has it.
    """
    file = path.open("a+b")
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_BEHIND_PID)  # others cannot read a locked byte, but shall read the pid
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        holder = file.read(20).decode("ascii", "replace")
        file.close()
        raise HeldError(holder) from None
    except OSError:
        return file
    if os.fstat(file.fileno()).st_nlink == 1:  # more: it is another file too, not to be emptied
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
    return file
