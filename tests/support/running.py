"""Commands for tests, run in this process or in another, on a corpus of 60 lines."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import minigrad as mg
from teenygpt_np import checkpoint
from teenygpt_np.cli import run_command
from teenygpt_np.training.log import Log
from teenygpt_np.training.place import Place

# The training split has 48: three batches of 16, so that an epoch ends after steps 3, 6 and 9.
LINES = [
    " ".join(words)
    for words in itertools.product(
        ("king", "city", "queen", "court"),
        ("wins", "loses", "plans"),
        ("talks", "rain", "a new town", "again", "it"),
    )
]
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP"):
    SIGNALS.append(signal.SIGHUP)
TEXT = "".join(f"{line}\n" for line in LINES)
SMALL = [
    "--num-emb=8",
    "--num-heads=2",
    "--num-neurons=2",
    "--num-blocks=1",
    "--num-tokens=24",
    "--batch-size=16",
]


@dataclass(frozen=True)
class Result:
    """The status of a command, and what it printed."""

    name: str
    status: Any
    out: str
    err: str

    def assert_refused(self, message: str, status: int = 2) -> None:
        """There is one line on stderr, which matches the pattern, and nothing on stdout."""
        assert (self.status, self.out) == (status, ""), self
        assert self.err.startswith(f"teenygpt_np.{self.name}: error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        assert re.search(message, self.err), self.err


@contextlib.contextmanager
def process_restored() -> Iterator[None]:
    """After the block, signal handlers, threads and environment are as before it."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    threads, environment = mg.get_num_threads(), dict(os.environ)
    for number in SIGNALS:  # which may be ignored, as under nohup or in the background
        is_int = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_int else signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        mg.set_num_threads(threads)
        os.environ.clear()
        os.environ.update(environment)


@contextlib.contextmanager
def after_step(number: int, do: Callable[[], object]) -> Iterator[None]:
    """In the block, a training calls a function after so many steps, once they are shown."""
    show = Log.step

    def step(self: Log, place: Place, *figures: Any) -> None:
        show(self, place, *figures)
        if place.step == number:
            do()

    with mock.patch.object(Log, "step", step):
        yield


def call(name: str, *arguments: str | Path, out: TextIO | None = None) -> Result:
    """Run a command in this process until it exits.    out: replaces its stdout"""
    main = importlib.import_module(f"teenygpt_np.{name}").main
    out, err, status = out or io.StringIO(), io.StringIO(), None
    with process_restored(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run_command(f"teenygpt_np.{name}", lambda: main([str(a) for a in arguments]))
        except SystemExit as done:
            status = done.code
    printed = out.getvalue() if isinstance(out, io.StringIO) else ""
    return Result(name, status, printed, err.getvalue())


def start(name: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a command in another process."""
    return subprocess.Popen(
        [sys.executable, "-m", f"teenygpt_np.{name}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def write_corpus(directory: Path) -> Path:
    """Write the 60 lines to a file."""
    path = directory / "lines.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def tiny_run(directory: Path, *flags: str) -> Path:
    """Train for two epochs on the 60 lines."""
    out = directory / "run"
    data = write_corpus(directory)
    done = call("train", "--data", data, "--out", out, *SMALL, "--epochs=2", "--quiet", *flags)
    assert done.status == 0, done
    return out


def left_behind(out: Path) -> dict[str, Any]:
    """Everything in a run directory except times."""
    found: dict[str, Any] = {
        path.name: path.read_text(encoding="utf-8")
        for path in [*(out / "samples").iterdir(), out / "config.json", out / "test.json"]
    }
    clock = ("tokens_per_s", "seconds")
    lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found["metrics"] = [
        {k: v for k, v in json.loads(line).items() if k not in clock} for line in lines
    ]
    for name in ("best.npz", "last.npz"):
        arrays, meta = checkpoint.load(out / name)
        found |= {f"{name}/{k}": a.tobytes() for k, a in arrays.items()}
        meta["best"] = {k: v for k, v in (meta["best"] or {}).items() if k not in clock}
        found[name] = meta | {"epoch_seconds": 0}
    return found


def fingerprint(out: Path) -> str:
    """A hash of everything that `left_behind` gives."""
    return hashlib.sha256(repr(sorted(left_behind(out).items())).encode()).hexdigest()
