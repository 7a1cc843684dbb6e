"""What the command lines share: an error is one line and a status."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import LINES, SMALL, call, process_restored, start, tiny_run

import minigrad as mg
from teenygpt_np.cli import path, run_command, set_up
from teenygpt_np.errors import InputError

COMMANDS = ["train", "sample", "evaluate", "inspect", "tokenizer"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("commands"))


def raiser(error: BaseException) -> Any:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a is 1, wanted 2"), 2, "x: error: a is 1, wanted 2\n"),
        (InputError("two\n  lines"), 2, "x: error: two lines\n"),
        (MemoryError(), 1, "x: error: out of memory"),
        (OSError(28, "No space left on device"), 1, "x: error: output: No space left on device\n"),
        (PermissionError(13, "Permission denied", "a/b"), 1, "x: error: a/b: Permission denied\n"),
        (OSError("no number"), 1, "x: error: output: no number\n"),
        (ImportError("libx.so: cannot\nbe mapped"), 1, "x: error: libx.so: cannot be mapped\n"),
        (RuntimeError("can't start new thread"), 1, "x: error: can't start new thread; less mem"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, line: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command("x", raiser(error))
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (status, "")
    assert err.startswith(line)
    assert err.count("\n") == bool(line)


def test_main_s_status_is_the_command_s() -> None:
    for status in (0, 143):
        with pytest.raises(SystemExit) as caught:
            run_command("x", lambda status=status: status)  # type: ignore[misc]
        assert caught.value.code == status


@pytest.mark.parametrize(
    "error", [ValueError("ours"), RuntimeError("ours"), KeyError("a"), AssertionError()]
)
def test_our_own_mistakes_are_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)):
        run_command("x", raiser(error))


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str) -> None:
    done = call(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"usage: teenygpt_np.{name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_version(name: str) -> None:
    done = call(name, "--version")
    assert (done.status, done.out, done.err) == (0, f"teenygpt_np.{name} {mg.__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_for_real_one_line_and_status_2(tmp_path: Path, name: str) -> None:
    nowhere = tmp_path / "nowhere.txt"
    process = start(name, *(["--data"] if name == "train" else []), nowhere)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith(f"teenygpt_np.{name}: error: {nowhere} is not there; wanted a ")
    assert err.count("\n") == 1


def test_a_tilde_that_the_shell_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert path("~/x") == tmp_path / "x"
    call("sample", "~/x").assert_refused(re.escape(f"{tmp_path / 'x'} is not there"))


def test_a_value_that_looks_like_a_flag(tmp_path: Path) -> None:
    done = call("inspect", tmp_path, "--text", "-fire")
    done.assert_refused(
        "argument --text: expected one argument; one that begins with - is written --t"
    )


def test_no_number_of_threads_that_numba_would_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "0")
    message = "NUMBA_NUM_THREADS is 0 in the environment, wanted at least 1"
    call("sample", "nowhere").assert_refused(message)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    with process_restored():
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        set_up(None)
        assert "OPENBLAS_NUM_THREADS" not in os.environ
        set_up(3)
        assert mg.get_num_threads() == 3
        assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["OMP_NUM_THREADS"] == "3"
        for count in (0, -1):
            with pytest.raises(InputError, match=f"--threads is {count}, wanted 1..1,024"):
                set_up(count)
        assert mg.get_num_threads() == 3


def test_commands_import_numpy_only_after_they_set_the_threads() -> None:
    """BLAS reads its number of threads only when it is loaded."""
    names = ", ".join(f"teenygpt_np.{name}" for name in COMMANDS)
    code = f"import sys, {names}; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# -- outputs that fail -----------------------------------------------------------------------------


def runs(run: Path, out: Path) -> list[list[str]]:
    """Each command with valid arguments."""
    data = run.parent / "lines.txt"
    train = ["train", "--data", data, "--out", out, *SMALL, "--max-steps=1"]
    return [
        [str(a) for a in arguments] for arguments in (train, ["sample", run], ["evaluate", run])
    ]


_WITHOUT_STDOUT = """
import importlib, json, sys
from teenygpt_np.cli import run_command
for name, *arguments in json.loads(sys.argv[1]):
    main = importlib.import_module("teenygpt_np." + name).main
    sys.stdout = None
    try:
        run_command(name, lambda: main(arguments))
    except SystemExit as done:
        assert done.code == 0, (name, done.code)
"""


def test_without_a_stdout(run: Path, tmp_path: Path) -> None:
    """After `>&-`, sys.stdout is None."""
    code = [sys.executable, "-c", _WITHOUT_STDOUT, json.dumps(runs(run, tmp_path / "a"))]
    done = subprocess.run(code, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "a" / "test.json").exists()


def test_characters_that_the_output_does_not_know(tmp_path: Path) -> None:
    """For example on a terminal of an older Windows, or with PYTHONIOENCODING=ascii."""
    data, out = tmp_path / "\u00e9.txt", tmp_path / "out"
    data.write_text("".join(f"\u00c9{line}\n" for line in LINES), encoding="utf-8")
    train = ["train", "--data", data, "--out", out, "--alphabet=corpus", *SMALL, "--max-steps=1"]
    for arguments in (train, ["sample", out, "--prompt", "\u00c9"], ["evaluate", out]):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        done = call(*map(str, arguments), out=stream)
        stream.seek(0)
        assert (done.status, done.err) == (0, "")
        assert stream.read()
