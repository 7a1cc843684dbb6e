"""The benchmarks run and print their tables; their figures are not checked here."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from running import LINES, SMALL, TEXT, tiny_run

import minigrad as mg
from minigrad.kernels import reference
from teenygpt_np.model.mixers import MIXERS

FOLDER = ROOT / "benchmarks"
TABLES = runpy.run_path(str(FOLDER / "tables.py"))

pytestmark = pytest.mark.skipif(os.name != "posix", reason="they ask for peak memory")


def run(name: str, folder: Path, *others: str) -> list[list[dict[str, Any]]]:
    """The tables of a benchmark's short version, from its JSON. Each must be printed too."""
    written = folder / "figures.json"
    command = [sys.executable, str(FOLDER / name), "--short", "--json", str(written), *others]
    # A benchmark works the same with either backend, and NumPy's starts sooner.
    environment = os.environ | {"MINIGRAD_BACKEND": "numpy"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    results = json.loads(written.read_text("utf-8"))
    assert str(folder) not in written.read_text("utf-8")  # no path of a machine
    assert all(
        result["made"].keys() >= {"command", "date", "processor"} for result in results.values()
    )
    tables: list[list[dict[str, Any]]] = [result["rows"] for result in results.values()]
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
    assert {"linear", "mlp_vjp", "attention", "adamw", "rest"} <= {r["kernel"] for r in rows}
    assert sum(row["of the step"] for row in rows) == pytest.approx(1)


def test_sample(tmp_path: Path) -> None:
    [rows] = run("sample.py", tmp_path)
    assert [row["at once"] for row in rows] == [64, 1]


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_exported(tmp_path: Path) -> None:
    [rows] = run("exported.py", tmp_path)
    assert [row["one headline"] for row in rows] == ["Python", "C, float32", "C, int8"]
    assert rows[2]["weights, kB"] < rows[1]["weights, kB"] / 2


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_exported_peers(tmp_path: Path) -> None:
    """llama2.c is no part of the project, and node and clang may be missing."""
    [rows] = run("exported_peers.py", tmp_path)
    assert rows[0] == {"float32": "C", "tokens/s": rows[0]["tokens/s"], "of the C": 1}
    assert len(rows) == 1 + bool(shutil.which("node")) + bool(
        shutil.which("node") and shutil.which("clang") and shutil.which("wasm-ld")
    )


@pytest.mark.skipif(
    not (Path(sys.executable).parent / "mpiexec").exists(), reason="extra mpi is not installed"
)
def test_ranks(tmp_path: Path) -> None:
    [[measured], computed] = run("ranks.py", tmp_path, "--rounds=1")
    assert measured["kB sent by one of two"] == pytest.approx(4 * measured["parameters"] / 1e3)
    for row in computed:
        shares = [int(row[f"{n} ranks"].rstrip("%")) for n in (2, 4, 16, 64, 256)]
        assert 100 >= shares[0] >= shares[1] >= shares[2] >= shares[3] >= shares[4]


@pytest.mark.skipif(
    os.geteuid() != 0
    or not (shutil.which("tc") and Path(sys.executable).with_name("mpiexec").exists()),
    reason="network namespaces need root and iproute2, and the ranks extra mpi",
)
def test_two_hosts(tmp_path: Path) -> None:
    steps, overlap = run("two_hosts.py", tmp_path)
    assert [row["network"] for row in steps] == ["1 Gbit/s", "100 Mbit/s"]
    assert all(row["after, ms"] > 0 for row in overlap)
    namespaces = subprocess.run(["ip", "netns"], stdout=subprocess.PIPE, text=True).stdout
    assert "teenygpt" not in namespaces


def test_bits(tmp_path: Path) -> None:
    (tmp_path / "gru").mkdir()
    runs = [tiny_run(tmp_path), tiny_run(tmp_path / "gru", "--mixer=gru")]
    [rows] = run("bits.py", tmp_path, *map(str, runs))
    assert [row["mixer"] for row in rows] == ["attention", "gru"]
    assert rows[0]["int8, kB"] < rows[0]["float32, kB"]


def test_every_kernel_is_measured(tmp_path: Path) -> None:
    [rows] = run("kernels.py", tmp_path)
    kernels = {
        name
        for name, function in inspect.getmembers(reference, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {row["kernel"] for row in rows} == kernels
    columns = {"NumPy, ms", *["Numba, ms"] * ("numba" in mg.available_backends())}
    assert all(columns <= row.keys() for row in rows)


def test_matmul(tmp_path: Path) -> None:
    [[row]] = run("matmul.py", tmp_path)
    assert (row["Numba"] is None) == ("numba" not in mg.available_backends())
    assert row["BLAS"] > 0


def test_startup(tmp_path: Path) -> None:
    imports, steps, headlines = run("startup.py", tmp_path)
    assert [row["import"] for row in imports][:2] == ["numpy", "minigrad"]
    assert steps[0]["to the first step"] == "teenygpt_np.train"
    assert len(headlines) == 1 + ("numba" in mg.available_backends())


def test_growth(tmp_path: Path) -> None:
    [rows] = run("growth.py", tmp_path)
    assert [row["to"] for row in rows] == [4, 16]
    plot = (tmp_path / "figures.svg").read_text("utf-8")
    assert plot.count("T, tokens") == 2  # under the time and under the memory


def test_table1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    table1 = importlib.import_module("table1")
    assert list(table1.ARTICLE) == list(MIXERS)
    assert table1.exponent((1, 10, 100, 1000), [9, 9, 2e4, 2e6]) == "2.00"
    table, *costs = run("table1.py", tmp_path)
    assert len(costs) == 3
    assert [row["a token: state"].partition(":")[0] for row in table] == ["O(N)", "O(1)"]
    attention, s4 = costs[-1]
    assert attention["state at 40, bytes"] > attention["state at 2, bytes"]
    assert s4["state at 40, bytes"] == s4["state at 2, bytes"]


def test_mixers(tmp_path: Path) -> None:
    [rows] = run("mixers.py", tmp_path)
    assert [row["mixer"] for row in rows] == ["attention", "gru"]
    assert rows[0]["of attention's"] == 1


def test_quality(tmp_path: Path) -> None:
    text = tmp_path / "towns.txt"
    text.write_text("".join(f"town {'i' * i}\n" for i in range(40)), "utf-8")
    [rows] = run("quality.py", tmp_path, "--", "--data", str(text), "--num-emb", "8")
    assert [row["model"] for row in rows] == ["attention", "rnn"]
    assert "quality_towns" in (tmp_path / "figures.json").read_text("utf-8")


def test_time_to_loss(tmp_path: Path) -> None:
    text = tmp_path / "towns.txt"
    text.write_text("".join(f"town {'i' * i}\n" for i in range(40)), "utf-8")
    [rows] = run("time_to_loss.py", tmp_path, "--", "--data", str(text), "--num-emb", "8")
    assert rows[0]["side"] == "ours"
    assert {row["steps"] for row in rows} == {2}
    assert "time_to_loss_towns" in (tmp_path / "figures.json").read_text("utf-8")


def test_finetuning(tmp_path: Path) -> None:
    data = tmp_path / "towns"
    data.mkdir()
    for split in ("train", "val", "test"):
        (data / f"{split}.txt").write_text(TEXT, "utf-8")
    base = str(tiny_run(tmp_path))
    [rows] = run("finetuning.py", tmp_path, "--", base, str(data), "--batch-size", "16")
    assert [row["tuned"] for row in rows] == ["nothing", "all weights", "LoRA, r = 1"]
    assert rows[2]["weights"] == 2 * (8 + 8)  # A and B for q and for v
    assert rows[1]["share"] == "100.00%"
    assert "finetuning_towns" in (tmp_path / "figures.json").read_text("utf-8")


def test_lora_step(tmp_path: Path) -> None:
    [[row]] = run("lora_step.py", tmp_path)
    assert {"ours, all, ms", "ours, LoRA, ms", "ours, LoRA / all", "ours, LoRA, MB"} <= row.keys()


def test_ternary(tmp_path: Path) -> None:
    text = tmp_path / "towns.txt"
    text.write_text(TEXT, "utf-8")
    flags = [flag for flag in SMALL if "num-emb" not in flag]
    [rows] = run("ternary.py", tmp_path, "--", "64", f"--data={text}", *flags)
    assert [row["weights"] for row in rows] == ["float32", "ternary", "ternary, twice as wide"]
    plain, ternary, wide = rows
    assert plain["bytes"] == 4 * plain["parameters"] == 4 * ternary["parameters"]
    # A block of width 64 has 4 + 2 x 2 squares, each row of a fifth of a byte per weight.
    assert plain["bytes"] - ternary["bytes"] == pytest.approx(8 * 64**2 * 3.8, rel=0.01)
    assert wide["parameters"] > 3 * ternary["parameters"]


def test_pairs(tmp_path: Path) -> None:
    data = tmp_path / "backwards"
    data.mkdir()
    for split in ("train", "val", "test"):
        pairs = "".join(f"{line}\t{line[::-1]}\n" for line in LINES[:40])
        (data / f"{split}.tsv").write_text(pairs, "utf-8")
    model, copy = run("pairs.py", tmp_path, "--", str(data))[0]
    assert model["target"] == "encoder-decoder"
    assert copy["exact"] == "0.0%"
    assert copy["edits a character"] > 0.5
    assert model["pairs"] == copy["pairs"] == 40


def test_pretraining(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        table = "".join(f"{line},{line.split()[0]}\n" for line in LINES)
        (tmp_path / f"{split}.csv").write_text(f"line,first\n{table}", "utf-8")
    [[row]] = run("pretraining.py", tmp_path, "--", str(tmp_path), "line", "first")
    assert row.keys() == {"labels", "scratch", "next", "masked", "joint"}
    assert row["labels"] == "60"
    assert all("% (" in row[name] for name in ("scratch", "joint"))


def test_the_page_of_table1_has_every_mixer_and_its_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters, the state's numbers, and the lines of the file, within a tenth."""
    monkeypatch.syspath_prepend(FOLDER)
    table1 = importlib.import_module("table1")
    page = ROOT / "docs" / "table1.md"
    rows = re.findall(
        r"^\| \[([\w-]+)\]\((\S+)\) \| .* = ([\d,]+) \| .* = ([\d,]+)( t)? \| (\d+) \| \w+ \|$",
        page.read_text("utf-8"),
        re.MULTILINE,
    )
    assert [name for name, *_ in rows] == list(MIXERS)
    for name, file, parameters, state, grows, lines in rows:
        mixer = MIXERS[name](table1.WIDTH, table1.HEADS, rng=np.random.default_rng(0))
        assert int(parameters.replace(",", "")) == mixer.num_parameters()
        if not grows:
            assert int(state.replace(",", "")) == table1.num_bytes(mixer.initial_state(1)) / 4
        source = (page.parent / file).read_text("utf-8")
        assert int(lines) == pytest.approx(len(source.splitlines()), rel=0.1)


@pytest.mark.parametrize("page", TABLES["PAGES"], ids=lambda page: page.stem)
def test_tables_of_pages_are_fresh(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == TABLES["filled"](text), "python benchmarks/tables.py"


def test_a_wrong_table_is_noticed() -> None:
    right = (ROOT / "docs" / "matmul.md").read_text("utf-8")
    wrong = right.replace(
        "| 64 | 2016 | 64 | tn | 170 | 133 | 1.28 |", "| 64 | 2016 | 64 | tn | 1 |"
    )
    assert wrong != right
    assert TABLES["filled"](wrong) == right
    with pytest.raises(ValueError, match="no end"):
        TABLES["filled"](right.replace("<!-- end -->", ""))
    with pytest.raises(KeyError, match="matmull"):
        TABLES["filled"](right.replace("table: matmul", "table: matmull"))


def test_a_benchmark_replaces_its_own_tables_only(tmp_path: Path) -> None:
    file, made = tmp_path / "some.json", {"command": "a"}
    row = {"what": "x", "share": 0.5, "n": 2, "none": None}
    TABLES["put"](file, made, {"one": [row], "two": [row, row]})
    TABLES["put"](file, {"command": "b"}, {"one": [row | {"share": 1 / 3}]})
    one, two = TABLES["read"](file).values()
    assert one == {"made": {"command": "b"}, "rows": [row | {"share": 0.3333333}]}
    assert two == {"made": made, "rows": [row, row]}
    assert TABLES["markdown"](one["rows"]).splitlines()[-1] == "| x | 0.333 | 2 |"


@pytest.mark.parametrize("flag", ["--short", "--only=wide"])
def test_results_of_a_part_stay_out_of_the_result_files(flag: str) -> None:
    command = [sys.executable, str(FOLDER / "train_step.py"), flag, "--json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    assert "whole tables" in done.stderr


def test_all_sides_keep_to_lesser_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    sides = importlib.import_module("sides")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sides, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(sys, "argv", ["x.py", "--isa", "avx2", "--json"])
    (tmp_path / "cpuinfo").write_text("flags : sse2 avx2 avx512f\n", "utf-8")
    assert sides.machine() == "avx512"
    assert Path(sides.arguments("").json).name == "avx2.json"
    assert os.environ.items() >= sides.ISAS["avx2"].items()
    (tmp_path / "cpuinfo").write_text("flags : sse2\n", "utf-8")
    with pytest.raises(SystemExit, match="2"):
        sides.arguments("")


def test_both_ways_of_sampling_in_pytorch_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-written cache leaves nothing out."""
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(FOLDER)
    sample = importlib.import_module("sample")

    model = sample.pytorch_model((1, 20, 16, 4, 2, 2))
    drawn = []
    for draw in (sample.draw_with_cache, sample.draw_as_the_article):
        torch.manual_seed(0)
        drawn.append(draw(model, 5, 20))
    assert torch.equal(*drawn)
