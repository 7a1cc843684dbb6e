"""Run directories of other formats: an older one is read, a newer one refused by its number."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from running import call

from teenygpt_np import checkpoint
from teenygpt_np.run_directory import FORMAT

# A run on the bundled corpus, stopped after 4 of 6 steps by the program as it was at version 0.1.
FORMAT_1 = Path(__file__).parent / "format_1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    out = tmp_path / "run"
    shutil.copytree(FORMAT_1, out)
    (out / "samples").mkdir()
    return out


def test_a_run_of_format_1_goes_on_and_can_be_used(old: Path) -> None:
    done = call("train", "--resume", old)
    assert (done.status, done.err) == (0, "")
    assert "continuing after step 4, in epoch 0\n" in done.out
    assert call("sample", old, "-n", "3").out.count("\n") == 3
    assert json.loads(call("evaluate", old, "--json").out)["model"]["nll_no_pad"] > 0
    assert call("inspect", old, "--text", "mayor").status == 0


def test_a_finished_run_of_format_1(old: Path) -> None:
    """Its best.npz has the old description too."""
    call("train", "--resume", old, "--quiet")
    path = old / "best.npz"
    arrays, meta = checkpoint.load(path)
    characters = meta.pop("tokenizer")["characters"]
    del meta["format"]
    checkpoint.save(path, arrays, meta | {"characters": characters})
    for command in ("sample", "evaluate", "inspect"):
        assert call(command, old).status == 0


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "2", None])
def test_another_format_is_refused_by_its_number(old: Path, number: object) -> None:
    call("train", "--resume", old, "--quiet")
    for name, command in (
        ("best.npz", ["sample"]),
        ("best.npz", ["evaluate"]),
        ("best.npz", ["inspect"]),
        ("last.npz", ["train", "--resume"]),
    ):
        arrays, meta = checkpoint.load(old / name)
        checkpoint.save(old / name, arrays, meta | {"format": number})
        message = (
            f"{name} is no checkpoint of a run: it is of format {number!r}, wanted 1..{FORMAT}"
        )
        call(*command, old).assert_refused(message)
    config = json.loads((old / "config.json").read_text(encoding="utf-8"))
    (old / "config.json").write_text(json.dumps(config | {"format": number}), encoding="utf-8")
    call("train", "--resume", old).assert_refused(
        f"config.json can't be used: it is of format {number!r}, wanted"
    )
