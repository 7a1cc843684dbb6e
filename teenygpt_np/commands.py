"""What the command lines share: arguments, errors in one line, threads before NumPy."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from teenygpt_np.errors import InputError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}; --help lists the arguments\n")


def set_up(threads: int | None) -> None:
    """Have the backend that is wanted, and so many threads. Before NumPy is imported.

    BLAS reads its number of threads from the environment when NumPy is loaded.

    Raises InputError for a backend that is not there, or less than one thread.
    """
    if threads is not None:
        if threads < 1:
            raise InputError(f"--threads is {threads}, wanted at least 1")
        for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
            os.environ[f"{library}_NUM_THREADS"] = str(threads)
    import minigrad as mg

    try:
        mg.get_backend()
    except (ValueError, ImportError) as error:
        raise InputError(str(error)) from None
    if threads is not None:
        mg.set_num_threads(threads)


def keep_freed_memory() -> None:
    """Have the C library keep freed arrays for the next step instead of returning their pages.

    Batches differ in length, so every step asks for other sizes; with glibc's own settings a third
    of the training time goes into having pages returned and zeroed. Elsewhere this does nothing.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # the names' numbers in malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 32 << 20)  # the highest that it takes
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(top_pad, 64 << 20)


def run_command(name: str, main: Callable[[], int]) -> NoReturn:
    """Exit with main's status; bad input is one line and status 2, a failed write or memory 1."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed, as by `>&-`
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):  # a character that the terminal lacks is no error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as `| head` does: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except InputError as error:
        status = _fail(name, str(error), 2)
    except MemoryError:
        status = _fail(name, "out of memory; smaller batches or a smaller model need less", 1)
    except OSError as error:
        status = _fail(name, f"{error.filename or 'output'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _fail(name: str, message: str, status: int) -> int:
    print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr)
    return status
