"""Check that a training which is killed, or whose disk fails, loses only its current step.

    python tests/long/kills.py --times 500

A small training is killed by SIGKILL at random moments, each time resumed, and must end with the
same weights, metrics and samples, bit for bit, as an undisturbed one. Then each request of a
training to its disk fails in turn, with each of three errors. Exit status 1 if a result differs.
Prints a line of figures for each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from disk import ERRORS, Disk, failing
from running import SMALL, call, fingerprint, write_corpus

import minigrad as mg
from teenygpt_np import checkpoint


class Undisturbed(NamedTuple):
    """The undisturbed run: how to start it, how long it took, how it ended."""

    flags: list[str]
    seconds: float
    end: str


def train(*arguments: str | Path) -> int:
    """Train in this process; returns the status."""
    return int(call("train", *arguments, "--quiet").status)


def train_apart(*arguments: str | Path) -> int:
    """Train in a forked process, which starts at once; returns its process id."""
    if child := os.fork():
        return child
    status = 1
    try:
        status = train(*arguments)
    finally:
        os._exit(status)


def undisturbed(folder: Path, epochs: int) -> Undisturbed:
    """Train once, to the end."""
    flags = [f"--data={write_corpus(folder)}", *SMALL, f"--epochs={epochs}", "--dropout=0.2"]
    started = time.monotonic()
    assert train(*flags, "--out", folder / "whole") == 0
    return Undisturbed(flags, time.monotonic() - started, fingerprint(folder / "whole"))


def to_begin(whole: Undisturbed, out: Path) -> list[str | Path]:
    """The arguments to resume a run, or to begin it if there is none yet."""
    return ["--resume", out] if (out / "config.json").exists() else [*whole.flags, "--out", out]


def kill(whole: Undisturbed, folder: Path, times: int, seed: int) -> Counter[str]:
    """Kill trainings, so many times in all, and compare how each of them ends.

    Raises AssertionError if one ends differently from the undisturbed one.
    """
    rng, figures, out = np.random.default_rng(seed), Counter[str](), folder / "killed"
    while figures["kills"] < times:
        while not (out / "report.html").exists():
            process = train_apart(*to_begin(whole, out))
            if figures["kills"] < times:
                time.sleep(rng.uniform(0, whole.seconds))
                os.kill(process, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            assert status in (0, -signal.SIGKILL), f"status {status}"
            if status:
                figures["kills"] += 1
                figures["before there was a run"] += not (out / "config.json").exists()
                figures["in the midst of a save"] += any(out.rglob(".*.tmp"))
        figures["runs"] += 1
        assert fingerprint(out) == whole.end, f"another end after {dict(figures)}"
        assert not any(out.rglob(".*.tmp"))
        shutil.rmtree(out)
    return figures


def on_a_failing_disk(whole: Undisturbed, out: Path, disk: Disk) -> str:
    """Train until the disk fails, check, resume; returns the request that failed, '' for none.

    Raises AssertionError if more than the epoch is lost.
    """
    with failing(disk):
        done = call("train", *whole.flags, "--out", out, "--quiet")
    if not disk.failed:
        assert done.status == 0, done
    else:
        assert (done.status, done.err.count("\n")) == (1, 1), done
        assert os.strerror(disk.error) in done.err
    assert not any(out.rglob(".*.tmp"))
    for path in out.glob("*.npz"):
        checkpoint.load(path)
    if not (out / "report.html").exists():
        assert train(*to_begin(whole, out)) == 0
    assert fingerprint(out) == whole.end, f"another end after {disk}"
    return disk.failed


def fail(whole: Undisturbed, folder: Path) -> Counter[str]:
    """Let each request of a training to its disk fail in turn."""
    figures = Counter[str]()
    for error in ERRORS:
        n = 1
        while failed := on_a_failing_disk(whole, folder / "failed", Disk(n, error)):
            figures[failed] += 1
            shutil.rmtree(folder / "failed")
            n += 1
        shutil.rmtree(folder / "failed")
    return figures


def main() -> int:
    """Print the figures; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=500, help="how many kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-faults", action="store_true", help="of the disk: the kills alone")
    args = parser.parse_args()
    mg.set_backend("numpy")  # without threads, which a fork would not take along
    mg.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        whole = undisturbed(Path(folder), 8)
        figures = kill(whole, Path(folder), args.times, args.seed)
        print(
            f"{figures['kills']} kills in {time.monotonic() - started:.0f} s, "
            f"{figures['in the midst of a save']} in the midst of a save and "
            f"{figures['before there was a run']} before there was a run; {figures['runs']} runs, "
            f"each with the end of the undisturbed one, {whole.end[:12]}"
        )
        if args.no_faults:
            return 0
        short = Path(folder) / "short"
        short.mkdir()
        faults = fail(undisturbed(short, 2), short)
        print(
            f"{faults.total()} faults of the disk ("
            f"{', '.join(f'{n} {name}' for name, n in faults.items())}): status 1, the checkpoint "
            "whole, nothing temporary left, and the same end when resumed"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
