"""If a disk fails or a process is killed, at most the current step is lost."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import kills
import numpy as np
import pytest
from disk import ERRORS, Disk, failing

from teenygpt_np import checkpoint


@pytest.mark.parametrize("error", ERRORS)
def test_a_save_that_fails_anywhere_leaves_the_old_or_the_new(tmp_path: Path, error: int) -> None:
    """The new one only if just the flush of the directory failed, after the renaming."""
    path = tmp_path / "a.npz"
    old, new = {"x": np.zeros(20_000)}, {"x": np.ones(20_000)}
    failed = []
    for n in range(1, 1000):
        checkpoint.save(path, old, {})
        with failing(Disk(n, error)) as disk:
            try:
                checkpoint.save(path, new, {})
                break
            except OSError as caught:
                told = caught.errno, caught.filename
        assert told == (error, str(path))
        renamed = "rename" in failed
        failed.append(disk.failed)
        arrays, _ = checkpoint.load(path)
        np.testing.assert_array_equal(arrays["x"], (new if renamed else old)["x"])
        assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    assert failed.count("write") > 5
    others = [name for name in failed if name not in ("write", "flush")]
    assert others == ["open", "fsync", "rename", "fsync"][: 4 if os.name == "posix" else 3]


def test_a_directory_that_cannot_be_flushed_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuse)
    checkpoint.save(tmp_path / "a.npz", {"x": np.ones(3)}, {})
    assert checkpoint.load(tmp_path / "a.npz")[0]["x"].tolist() == [1, 1, 1]


def test_a_failed_save_is_a_failed_run(tmp_path: Path) -> None:
    """`python tests/long/kills.py` lets every request to the disk fail in turn."""
    whole = kills.undisturbed(tmp_path, 2)
    for n, error in [(1, errno.EACCES), (60, errno.EIO), (200, errno.ENOSPC)]:
        assert kills.on_a_failing_disk(whole, tmp_path / str(n), Disk(n, error))


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing kills like SIGKILL")
def test_killed_and_resumed() -> None:
    """In another process, without threads; `python tests/long/kills.py` does it 500 times."""
    command = [sys.executable, kills.__file__, "--times=15", "--no-faults"]
    environment = os.environ | {"MINIGRAD_BACKEND": "numpy", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("15 kills in ")
