"""The examples run, with small settings, and print what their first lines say."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from running import call, tiny_run

from teenygpt_np.model.mixers import MIXERS
from teenygpt_np.run_directory import load_run

FOLDER = ROOT / "examples"
Example = Callable[..., str]


@pytest.fixture
def example(
    backend: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Example:
    """A function that runs an example in this process and returns what it prints."""

    def run(name: str, *arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        status = None
        try:
            runpy.run_path(str(FOLDER / name), run_name="__main__")
        except SystemExit as done:
            status = done.code
        printed = capsys.readouterr()
        assert not status, printed.err
        return printed.out

    return run


def test_each_is_tested_and_says_how_it_is_run() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    paths = list(FOLDER.glob("*.py"))
    assert len(paths) > 3
    for path in paths:
        assert f'"{path.name}"' in tests
        assert f"Usage: python examples/{path.name}" in path.read_text(encoding="utf-8")


def test_own_operation(example: Example) -> None:
    right, wrong, *gradient = example("own_operation.py").splitlines()
    assert right == "softplus: right"
    assert wrong.startswith("softplus_with_a_slip: worst relative error 0.407 at input 0, index ")
    assert gradient == ["[[ 0.12  5.   81.76]", " [ 0.95  3.78 56.22]]"]


def test_fit_sine(example: Example) -> None:
    first, *_, last = re.findall(r"loss (\S+)", example("fit_sine.py"))
    assert float(last) < 1e-5 < 0.5 < float(first)


def test_preferences(example: Example, tmp_path: Path) -> None:
    flags = ["--pairs=40", "--epochs=1", "--beta", "0.1", "1"]
    out = example("preferences.py", tiny_run(tmp_path), tmp_path / "out", *flags)
    _, *rows = out.splitlines()
    assert [row[:10].strip() for row in rows] == ["RUN", "beta 0.1", "beta 1"]
    assert load_run(tmp_path / "out" / "beta-1").config.beta == 1


def test_recall(example: Example) -> None:
    lines = example("recall.py", "--steps=2").splitlines()
    shares = dict(re.findall(r"^\| (\S+) \| (0\.\d{3}) \|$", "\n".join(lines), re.MULTILINE))
    assert list(shares) == list(MIXERS)
    assert len(lines) == 2 + len(MIXERS)


def test_recall_asks_for_what_was_shown() -> None:
    names = runpy.run_path(str(FOLDER / "recall.py"))
    x = names["rows"](np.random.default_rng(0), 5)
    shown, asked = x.reshape(5, 2, -1, 2).swapaxes(0, 1)
    for before, after in zip(shown.tolist(), asked.tolist(), strict=True):
        assert before != after
        assert sorted(before) == sorted(after)
        assert len({key for key, _ in before}) == names["PAIRS"]


def test_pytorch_reads_it(example: Example, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    run = tiny_run(tmp_path)
    assert call("export", run, "--to=safetensors").status == 0
    out = example("pytorch_reads_it.py", run / "model.safetensors", "king wins talks")
    theirs, ours = (float(nats) for nats in re.findall(r"([\d.]+) nats", out))
    assert theirs == pytest.approx(ours, abs=2e-4)
    assert ours > 1


def test_sample_without_numba(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "sample_without_numba.py"), "-n2"]
    for run, parameters in ((), "452,957"), ([tiny_run(tmp_path)], "1,"):
        done = subprocess.run([*command, *map(str, run)], capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[2].startswith(parameters)
        assert lines[3].endswith("s for each after it")
        assert lines[-1] == "numba loaded: False"
