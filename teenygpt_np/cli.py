"""What the command lines share: arguments, errors of one line, threads set before NumPy loads."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import mmap
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from teenygpt_np.config import OWN_TEXTS, SETTINGS, Config
from teenygpt_np.errors import InputError
from teenygpt_np.ranks import on_this_machine, ranks
from teenygpt_np.text.files import FILES
from teenygpt_np.text.reading import STDIN

MOST_THREADS = 1024
_METAVARS: dict[type, str] = {int: "N", float: "X", str: "NAME"}
_LONGEST = 800  # characters of an error message, since parts of it may come from a file
# Memory that must be free at the start: OpenBLAS and LLVM end the process if they get none.
_MB_FOR_NUMPY, _MB_FOR_NUMBA, _MB_PER_THREAD = 256, 320, 64


class _Version(argparse.Action):
    """Print minigrad's version and exit. It is imported only now, because it loads NumPy."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from minigrad import __version__

        print(parser.prog, __version__)
        parser.exit()


class Parser(argparse.ArgumentParser):
    """An argument parser with --version, whose errors `run_command` prints."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")

    def error(self, message: str) -> NoReturn:
        """Raise InputError instead of exiting."""
        flag = re.match(
            r"argument ((?:-\w/)?--[\w-]+): expected (?:at least )?one argument$", message
        )
        if flag:
            message += f"; one that begins with - is written {flag[1].rpartition('/')[2]}=-..."
        raise InputError(f"{message}; --help lists the arguments")


def path(text: str) -> Path:
    """The path in an argument. Raises ValueError if it is empty, as an unset shell variable is."""
    if not text:
        raise ValueError
    return Path(text).expanduser()  # a shell does not expand the ~ in --out=~/runs


class _OrFile(list[str]):
    """Choices beside which a file of some suffix may be given."""

    def __init__(self, words: Iterable[str], suffix: str) -> None:
        super().__init__([*words, f"FILE{suffix}"])
        self._suffix = suffix

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and (word in self[:-1] or word.endswith(self._suffix))


def add_settings(
    parser: argparse.ArgumentParser, names: Iterable[str], defaults: Mapping[str, str] | None = None
) -> None:
    """Add a flag for each of these settings of `Config`. A flag that is not given is None.

    defaults: what --help says of those that are not the preset small's
    """
    fields = {field.name: field for field in dataclasses.fields(Config)}
    for name in names:
        setting, default = SETTINGS[name], fields[name].default
        said = default
        if setting.choices is not None:
            said = next(word for word, value in setting.choices.items() if value == default)
        # The others are chosen by the flags that say where such a text is.
        words = setting.choices and [word for word in setting.choices if word not in OWN_TEXTS]
        whose = "default" if setting.of == "fine-tuning" else "preset small"
        default = (defaults or {}).get(name, f"{whose}: {'none' if said == '' else said}")
        parser.add_argument(
            "--" + (setting.flag or name).replace("_", "-"),
            dest=name,
            type=type(said),
            choices=_OrFile(words, setting.file) if words and setting.file else words,
            metavar=None if setting.choices else _METAVARS[type(said)],
            help=f"{setting.help} ({default})",
        )


def add_text(parser: argparse.ArgumentParser) -> None:
    """Add the flags --data and --column, which `take_text` then makes sense of."""
    parser.add_argument(
        "--data",
        type=path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help=f"a directory with train.txt, val.txt, test.txt; or {FILES}, which is split 80/10/10; "
        "or - for standard input; running text may be in any file, or in all files of a directory; "
        "several files are read one after the other (default: the bundled headlines)",
    )
    parser.add_argument(
        "--column",
        action="append",
        dest="columns",
        metavar="NAME",
        help="the column with the text; may be given several times",
    )
    parser.add_argument(
        "--label",
        metavar="NAME",
        help="the column with the label of each text: learn to tell it, for teenygpt_np.classify",
    )


def take_text(args: argparse.Namespace) -> None:
    """Make `data` the first path given, or None, and `more_data` the others.

    Raises InputError for standard input that is not the only one.
    """
    args.data, *args.more_data = args.data or [None]
    if STDIN in args.more_data or (args.data == STDIN and args.more_data):
        raise InputError("--data - is standard input, and is given alone")


def add_threads(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the flag --threads.    more: what else its default depends on, for --help"""
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="number of threads (default: the cores that this process may use, or fewer if "
        f"OMP_NUM_THREADS or NUMBA_NUM_THREADS is less{more})",
    )


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The settings whose flags were given, by name."""
    given = {name: getattr(args, name, None) for name in SETTINGS}
    return {
        name: (SETTINGS[name].choices or {}).get(value, value)
        for name, value in given.items()
        if value is not None
    }


def as_flag(name: str) -> str:
    """The flag of a setting."""
    setting = SETTINGS.get(name)
    flag = "column" if name == "columns" else setting.flag if setting else ""
    return "--" + (flag or name).replace("_", "-")


def set_up(threads: int | None) -> None:
    """Set the number of threads and check the backend. Must be called before NumPy is imported.

    BLAS reads its number of threads from the environment when NumPy is loaded.

    Raises InputError for a backend that is unknown or not installed and for a number of threads out
    of range, MemoryError if too little memory is free to start.
    """
    here = on_this_machine()
    share = threads is None and here > 1 and "OMP_NUM_THREADS" not in os.environ
    if share:
        threads = max(1, _cores() // here)
    if threads is not None:
        if not 1 <= threads <= MOST_THREADS:
            raise InputError(f"--threads is {threads}, wanted 1..{MOST_THREADS:,}")
        for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
            os.environ[f"{library}_NUM_THREADS"] = str(threads)
    limit = os.environ.get("NUMBA_NUM_THREADS", "1").strip()
    if limit.lstrip("+-").isdecimal() and int(limit) < 1:  # Numba would print a traceback
        raise InputError(f"NUMBA_NUM_THREADS is {limit} in the environment, wanted at least 1")
    _look_for_memory(_MB_FOR_NUMPY)
    import minigrad as mg

    try:
        backend = mg.get_backend()
    except (ValueError, ImportError) as error:
        raise InputError(str(error)) from None
    if threads is not None:
        quota = max(1, mg.get_num_cores() // here)  # of a container; BLAS does not know it
        mg.set_num_threads(min(threads, quota) if share else threads)
    if backend != "numpy":
        _look_for_memory(_MB_FOR_NUMBA + _MB_PER_THREAD * mg.get_num_threads())


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _look_for_memory(megabytes: int) -> None:
    """Raise MemoryError unless this much memory can be reserved. It is released at once, unused."""
    try:
        mmap.mmap(-1, megabytes << 20).close()
    except OSError:
        raise MemoryError from None


def keep_freed_memory() -> None:
    """Make the C library keep the memory of freed arrays for the next step.

    Batches differ in length, so every step asks for arrays of other sizes. With glibc's default
    settings their pages would be returned to the system and zeroed again at every step. Without
    glibc this does nothing.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # their numbers in malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 32 << 20)  # the highest value that it accepts
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(top_pad, 64 << 20)


def run_command(name: str, main: Callable[[], int], *, shared_out: bool = False) -> NoReturn:
    """Run main and exit with its status: 2 after bad input, 1 after a failed write or no memory.

    Each of these errors is printed in one line.

    shared_out: whether several processes can share the work, of which the first alone prints
    """
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed, as by `>&-`
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if hasattr(sys.stdout, "reconfigure"):  # escapes a character that the terminal lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _check_ranks(name, shared_out)
        try:
            status: int | str | None = main()
        except SystemExit as done:  # by --help or --version, whose output may be piped too
            status = done.code
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as `| head` does: no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + 13 if _has_others() else 0  # as SIGPIPE: the others wait, and have to end
    except InputError as error:
        status = _fail(name, str(error), 2)
    except MemoryError:
        status = _fail(name, "out of memory; smaller batches or a smaller model need less", 1)
    except OSError as error:
        status = _fail(name, f"{error.filename or 'output'}: {error.strerror or error}", 1)
    except ImportError as error:  # a library is missing, or gets no memory
        status = _fail(name, str(error), 1)
    except RuntimeError as error:
        if str(error) != "can't start new thread":
            raise
        status = _fail(name, f"{error}; less memory is needed with fewer --threads", 1)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _check_ranks(name: str, shared_out: bool) -> None:
    """Raise InputError for several processes where one is wanted, or that were told other things.

    Of those that share the work the first alone prints.
    """
    if ranks().count > 1 and not shared_out:
        raise InputError(f"this is one of {ranks().count} processes, wanted one")
    first, *others = (" ".join(line) for line in ranks().gathered([name, *sys.argv[1:]]))
    for number, other in enumerate(others, 1):
        if other != first:
            raise InputError(f"process {number} is {other}, and the first {first}; wanted the same")
    if not ranks().is_first:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _has_others() -> bool:
    """Whether this is one of several processes that train together."""
    try:
        return ranks().count > 1
    except InputError:
        return False


def _fail(name: str, message: str, status: int) -> int:
    if _has_others() and not ranks().is_first:
        time.sleep(1)  # the first tells the same, unless it is only here, and ends all
    line = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    print(f"{name}: error: {line[:_LONGEST]}", file=sys.stderr)
    return status
