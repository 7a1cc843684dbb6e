"""A disk that fails, or a process that is killed: no more is lost than the step it hit."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import kills
import numpy as np
import pytest
from disk import ERRORS, Disk, failing

from teenygpt_np import checkpoint


@pytest.mark.parametrize("error", ERRORS)
def test_a_save_that_fails_anywhere_leaves_the_old_or_the_new(tmp_path: Path, error: int) -> None:
    """The new one only where it is in its place, and no more than the directory was to be synced."""
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
                assert (caught.errno, caught.filename) == (error, str(path))
        renamed = "rename" in failed
        failed.append(disk.failed)
        arrays, _ = checkpoint.load(path)
        np.testing.assert_array_equal(arrays["x"], (new if renamed else old)["x"])
        assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    assert failed.count("write") > 5
    others = [name for name in failed if name not in ("write", "flush")]
    assert others == ["open", "fsync", "rename", "fsync"][: 4 if os.name == "posix" else 3]


def test_a_failed_save_is_a_failed_run(tmp_path: Path) -> None:
    """`python tests/kills.py` has everything fail in turn."""
    whole = kills.undisturbed(tmp_path, 2, kills.train_here)
    for n, error in [(1, errno.EACCES), (60, errno.EIO), (200, errno.ENOSPC)]:
        assert kills.on_a_failing_disk(whole, tmp_path / str(n), Disk(n, error))


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing kills like SIGKILL")
def test_killed_and_resumed(tmp_path: Path) -> None:
    """`python tests/kills.py` does this 500 times."""
    whole = kills.undisturbed(tmp_path, 20, kills.train_apart)
    assert kills.kill(whole, tmp_path, times=4, seed=0)["kills"] == 4
