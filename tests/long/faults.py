"""Inject faults into the code, one at a time, and report which test notices each.

    python tests/long/faults.py              all of them
    python tests/long/faults.py adamw mlp    those with one of these words in name or file

The project is copied to a temporary directory and must pass there as it is. Then one text in it is
replaced at a time and the tests are run up to the first failure: those that the fault's name points
to, and if they all pass, the whole suite. Exit status 1 if a fault is noticed by no test.
"""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "tests" / "faults"  # a file here has the faults of the file with the same path
# Not copied: no source (but .gitignore, which a test reads), and the test of this table, which
# notices any fault.
LEFT_OUT = (".git", ".[!g]*", "__pycache__", "build", "dist", "runs", "venv", "test_faults.py")
SECONDS = 3600  # the whole suite on a slow machine; a fault that hangs ends the run with an error


class Fault(NamedTuple):
    """A fault: the right text, which stands exactly once in the file, and the wrong one."""

    name: str
    file: str
    right: str
    wrong: str

    def applied_to(self, source: str) -> str:
        """The source with the fault in it. Raises ValueError if its text has changed."""
        if source.count(self.right) != 1:
            raise ValueError(
                f"{self.file} has {source.count(self.right)} times, wanted once: {self.right!r}"
            )
        return source.replace(self.right, self.wrong)

    @property
    def first(self) -> str:
        """Words in the names of the tests that run first."""
        return self.name.partition(":")[0]


FAULTS = [
    Fault(name, table.relative_to(TABLES).as_posix(), right, wrong)
    for table in sorted(TABLES.rglob("*.py"))
    for name, right, wrong in runpy.run_path(str(table))["FAULTS"]
]


class Copy:
    """A copy of the project, to put faults into."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "project"
        self.cache = directory / "cache"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(*LEFT_OUT))

    def failure(self, *arguments: str, cache: Path | None = None) -> str:
        """The first test that fails; '' where none does."""
        environment = os.environ | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",  # a stale .pyc of the same second and size would be run
            "HYPOTHESIS_PROFILE": "faults",
            "NUMBA_CACHE_DIR": str(cache or self.cache),
        }
        # In one process, so that the first failure is the first in the order of the files.
        plugins = ["-p", "no:cacheprovider", "-p", "no:xdist"]
        command = [sys.executable, "-m", "pytest", "-x", *plugins, *arguments]
        command.append(
            "--ignore=tests/teenygpt_np/inspector/test_browser.py"
        )  # slow, and covered by other tests
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode in (0, 5):  # all pass; or no test has such a name
            return ""
        failed = re.search(r"^(?:FAILED|ERROR) (.*::.*?)( - |$)", done.stdout, re.MULTILINE)
        if done.returncode != 1 or not failed:
            raise RuntimeError(f"pytest could not run the tests:\n{done.stdout}{done.stderr}")
        return failed[1]

    def catch(self, fault: Fault, *where: str) -> str:
        """The first test that fails with this fault, of all or of these files; '' for none."""
        path = self.root / fault.file
        source, times = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(fault.applied_to(source), encoding="utf-8")
        try:
            # A changed kernel makes all compiled code stale, so each fault has its own cache.
            with tempfile.TemporaryDirectory() as fresh:
                cache = Path(fresh) if "kernels" in fault.file else None
                if named := self.failure("-k", fault.first, *where, cache=cache):
                    return named
                # A test in the whole suite may fail by chance, under load say: not twice.
                other = self.failure(*where, cache=cache)
                return other and self.failure(other, cache=cache)
        finally:
            path.write_text(source, encoding="utf-8")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # numba looks at it


def main(words: list[str]) -> int:
    """Print the table; the exit status."""
    chosen = [f for f in FAULTS if not words or any(w in f.name + f.file for w in words)]
    if not importlib.util.find_spec("numba"):
        chosen = [f for f in chosen if "compiled" not in f.file]
        print("numba is not installed: no faults in its kernels")
    missed = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Copy(Path(directory))
        if failed := copy.failure():
            print(f"without a fault there is one: {failed}", file=sys.stderr)
            return 2
        print(f"{'fault':70}{'file':42}{'seconds':>7}  caught by")
        for fault in chosen:
            start = time.perf_counter()
            caught = copy.catch(fault)
            seconds = time.perf_counter() - start
            print(f"{fault.name:70}{fault.file:42}{seconds:7.1f}  {caught or 'NONE'}", flush=True)
            missed += not caught
    print(f"{len(chosen) - missed} of {len(chosen)} faults caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
