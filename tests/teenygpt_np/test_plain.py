"""What `merge`, `import`, `export` and `inspect` write: whole or not at all, and over no run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from disk import ERRORS, Disk, failing
from running import call, left_behind, tiny_run

from teenygpt_np import checkpoint


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def run(base: Path) -> Path:
    """One with LoRA, which stays beside its base."""
    out = base.parent / "tuned"
    flags = ["--lora-rank=2", "--max-steps=2", "--quiet"]
    data = json.loads((base / "config.json").read_text(encoding="utf-8"))["config"]["data"]
    assert call("finetune", base, f"--data={data}", "--out", out, *flags).status == 0
    return out


@pytest.fixture(scope="module")
def commands(run: Path) -> dict[str, list[str]]:
    """Commands that make a run, or what is exported from one, by name; `--out` is missing."""
    weights = run.parent / "model.safetensors"
    export = ["export", str(run), "--to=safetensors"]
    assert call(*export, "--out", weights).status == 0
    return {"merge": ["merge", str(run)], "import": ["import", str(weights)], "export": export}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", ["merge", "import"])
def test_on_a_failing_disk_there_is_no_run_or_a_whole_one(
    tmp_path: Path, commands: dict[str, list[str]], name: str, error: int
) -> None:
    failed = []
    for n in range(1, 1000):
        out = tmp_path / str(n) / "run"
        with failing(Disk(n, error)) as disk:
            done = call(*commands[name], "--out", out)
        if not disk.failed:
            break
        failed.append(disk.failed)
        assert done.status == 1, done
        assert list(tmp_path.iterdir()) == []
    assert "rename" in failed
    assert "write" in failed
    assert done.status == 0
    assert [path.name for path in out.parent.iterdir()] == ["run"]
    assert call("sample", out, "-n=1").status == 0


@pytest.mark.parametrize("name", ["merge", "import", "export"])
def test_where_a_file_is_no_directory_can_be(
    tmp_path: Path, commands: dict[str, list[str]], name: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    for out in [file, file / "below"][name == "export" :]:
        done = call(*commands[name], "--out", out)
        done.assert_refused("file is a file; wanted a new directory")
    assert file.read_bytes() == b"kept"


def test_a_directory_with_something_in_it_is_refused(
    tmp_path: Path, commands: dict[str, list[str]]
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"kept")
    call(*commands["merge"], "--out", tmp_path).assert_refused("is not empty; wanted a new")
    (tmp_path / "notes.txt").unlink()
    assert call(*commands["merge"], "--out", tmp_path).status == 0


@pytest.mark.parametrize(
    "file", ["best.npz", "config.json", "report.html", "samples/epoch_001.txt"]
)
def test_no_file_of_a_run_is_written_over(
    run: Path, commands: dict[str, list[str]], file: str
) -> None:
    before = left_behind(run)
    for command in (commands["export"], ["inspect", str(run)]):
        done = call(*command, "--out", run / file)
        done.assert_refused("is a file of a run, wanted another one to write to")
    assert left_behind(run) == before


def test_a_base_is_found_where_it_was_or_beside_its_run(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run, moved / "tuned")
    want = call("evaluate", run, "--json").out
    assert call("evaluate", moved / "tuned", "--json").out == want
    config = _rewritten(moved / "tuned", base=str(tmp_path / "gone" / run.parent.name / "run"))
    done = call("evaluate", moved / "tuned")
    done.assert_refused(f"the base of this run.*wanted it at {config} or at .*moved")
    base = json.loads((run / "config.json").read_text(encoding="utf-8"))["config"]["base"]
    shutil.copytree(base, moved / Path(config).name)
    assert call("evaluate", moved / "tuned", "--json").out == want


def test_no_run_is_its_own_base(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "circle"
    shutil.copytree(run, out)
    _rewritten(out, base=str(out))
    call("evaluate", out).assert_refused("the base of this run.* is not there")
    done = call("merge", out, "--out", tmp_path / "new")
    done.assert_refused("the base of this run.* is not there")


def _rewritten(run: Path, *, base: str) -> str:
    """Give a run another base; returns that."""
    path = run / "best.npz"
    arrays, meta = checkpoint.load(path)
    meta["config"]["base"] = base
    checkpoint.save(path, arrays, meta)
    return base


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there are no pipes in folders")
def test_an_export_replaces_no_pipe(tmp_path: Path, commands: dict[str, list[str]]) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = call(*commands["export"], "--out", tmp_path / "pipe")
    done.assert_refused("pipe, no file; wanted a file")
    assert (tmp_path / "pipe").is_fifo()
