"""The benchmarks run and print their tables; what they measure is for a quiet machine to say."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

import minigrad as mg
from minigrad.kernels import reference

FOLDER = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="they ask for peak memory")


def run(name: str, folder: Path) -> list[list[dict[str, Any]]]:
    """The tables of a benchmark's short version, from its JSON; each has been printed as well."""
    written = folder / "figures.json"
    command = [sys.executable, str(FOLDER / name), "--short", "--json", str(written)]
    # The engine has no say in whether a benchmark works, and is ready sooner without Numba.
    environment = os.environ | {"MINIGRAD_BACKEND": "numpy"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    tables: list[list[dict[str, Any]]] = json.loads(written.read_text("utf-8"))["tables"]
    printed = [line.strip("| ") for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(printed) == sum(2 + len(rows) for rows in tables)
    for rows in tables:
        assert rows
        for value in (value for row in rows for value in row.values()):
            assert isinstance(value, str) or value is None or value > 0
    return tables


def test_train_step(tmp_path: Path) -> None:
    [[row]] = run("train_step.py", tmp_path)
    assert {"ours, ms", "ours, MB", "ours, of sgemm's rate", "sgemm, GFLOP/s"} <= row.keys()


def test_step_kernels(tmp_path: Path) -> None:
    [rows] = run("step_kernels.py", tmp_path)
    assert {"linear", "mlp_vjp", "causal_attention", "adamw", "rest"} <= {r["kernel"] for r in rows}
    assert sum(row["of the step"] for row in rows) == pytest.approx(1)


def test_sample(tmp_path: Path) -> None:
    [rows] = run("sample.py", tmp_path)
    assert [row["at once"] for row in rows] == [64, 1]


def test_every_kernel_is_measured(tmp_path: Path) -> None:
    [rows] = run("kernels.py", tmp_path)
    kernels = {
        name
        for name, function in inspect.getmembers(reference, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {row["kernel"] for row in rows} == kernels - {"decode"}  # which sample.py measures
    columns = {"NumPy, ms", *["Numba, ms"] * ("numba" in mg.available_backends())}
    assert all(columns <= row.keys() for row in rows)


def test_startup(tmp_path: Path) -> None:
    imports, steps, headlines = run("startup.py", tmp_path)
    assert [row["import"] for row in imports][:2] == ["numpy", "minigrad"]
    assert steps[0]["to the first step"] == "teenygpt_np.train"
    assert len(headlines) == len(mg.available_backends())


def test_growth(tmp_path: Path) -> None:
    [rows] = run("growth.py", tmp_path)
    assert [row["to"] for row in rows] == [4, 16]
    plot = (tmp_path / "figures.svg").read_text("utf-8")
    assert plot.count("T, tokens") == 2  # under the time and under the memory


def test_both_ways_of_sampling_in_pytorch_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache that is written by hand leaves nothing out."""
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(FOLDER)
    import sample

    model = sample.pytorch_model((1, 20, 16, 4, 2, 2))
    drawn = []
    for draw in (sample.draw_with_cache, sample.draw_as_the_article):
        torch.manual_seed(0)
        drawn.append(draw(model, 5, 20))
    assert torch.equal(*drawn)
