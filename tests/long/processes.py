"""Many trainings share one cache of compiled kernels, cold or damaged, and give the same weights.

    python tests/long/processes.py        a table, in about fifteen minutes on a core

Each training starts in a process of its own, and ends with status 0, nothing on stderr, and the
weights that the first one ended with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from running import SMALL, write_corpus

from teenygpt_np import checkpoint

TOGETHER = 8
LONGEST = 1800  # seconds; a training that takes longer counts as hanging
# root can write to read-only files, unless a tool of Linux takes that right away.
IS_SUPERUSER = hasattr(os, "geteuid") and os.geteuid() == 0
ORDINARY = ["setpriv", "--bounding-set=-dac_override"] if IS_SUPERUSER else []


def start(folder: Path, number: int, **environment: str) -> subprocess.Popen[str]:
    """Start a training with its cache in the folder, and in no other place that Numba tries."""
    flags = ["--data", folder / "lines.txt", "--out", folder / f"run-{number}", *SMALL]
    flags += ["--epochs=1", "--quiet"]
    cache = {
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
    }
    return subprocess.Popen(
        [*ORDINARY, sys.executable, "-m", "teenygpt_np.train", *map(str, flags)],
        env=os.environ | cache | environment,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def outcome(process: subprocess.Popen[str], out: Path) -> str:
    """A hash of the weights that the training ended with, or what went wrong."""
    try:
        _, said = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        return "hung"
    if process.returncode or said:
        return f"status {process.returncode}: {said.strip()[-200:]}"
    arrays, _ = checkpoint.load(out / "last.npz")
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + array.tobytes())
    shutil.rmtree(out)
    return digest.hexdigest()[:8]


def train(folder: Path, count: int = 1, **environment: str) -> list[str]:
    """Start so many trainings together; returns the end of each."""
    started = [start(folder, i, **environment) for i in range(count)]
    return [outcome(process, folder / f"run-{i}") for i, process in enumerate(started)]


def rewrite(cache: Path, change: Callable[[bytes], bytes]) -> None:
    """Rewrite every file of the cache."""
    for path in cache.rglob("*.nb?"):
        path.write_bytes(change(path.read_bytes()))


def main() -> int:
    """Print the table, row by row; returns 1 if a training ended differently."""
    print("| trainings with | at once | ended with the same weights |\n| --- | --- | --- |")
    ends: list[str] = []

    def tell(fault: str, found: list[str]) -> None:
        ends.extend(found)
        print(f"| {fault} | {len(found)} | {found.count(ends[0])} |", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = folder / "cache"
        write_corpus(folder)
        tell("a cold cache", train(folder, TOGETHER))
        tell("a warm cache", train(folder, TOGETHER))
        rewrite(cache, lambda content: content[: len(content) // 2])
        tell("a cache cut short", train(folder, 2))
        rewrite(cache, lambda content: b"")
        tell("a cache of empty files", train(folder, 2))
        rewrite(cache, lambda content: os.urandom(1000))
        tell("a cache of garbage", train(folder, 2))
        shutil.rmtree(cache)
        train(folder, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
        tell("a cache left by another CPU", train(folder))
        shutil.rmtree(cache)
        cache.touch()
        tell("a file in the place of the cache", train(folder))
        cache.unlink()
        cache.mkdir(mode=0o555)
        tell("a read-only cache", train(folder))
        cache.rmdir()  # raises where something has been written to it
    others = [end for end in ends if end != ends[0] or len(end) != 8]  # a hash has 8 characters
    print(*others, sep="\n")
    return int(bool(others))


if __name__ == "__main__":
    sys.exit(main())
