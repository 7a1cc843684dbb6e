"""Resuming a run after signals, failures and changed files: nothing is lost or silently wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import mutants
import numpy as np
import pytest
from running import SMALL, call, left_behind, start, write_corpus

import minigrad as mg
from minigrad import kernels
from teenygpt_np import checkpoint, run_directory, starting
from teenygpt_np.errors import InputError
from teenygpt_np.scores import scores
from teenygpt_np.training import loop
from teenygpt_np.training.console import Console
from teenygpt_np.training.loop import Trainer
from teenygpt_np.training.objectives import next_token


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def flags(corpus: Path, tmp_path: Path) -> list[str]:
    out = tmp_path / "run"
    return [f"--data={corpus}", f"--out={out}", *SMALL, "--epochs=2", "--dropout=0.2"]


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The files of an undisturbed run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = call("train", f"--data={corpus}", f"--out={out}", *SMALL, "--epochs=2", "--dropout=0.2")
    assert done.status == 0
    return left_behind(out)


# -- signals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "calls"), [(6, 1), (6, 2), (6, 3)])
def test_a_signal_while_scoring_is_heeded_there(
    flags: list[str],
    tmp_path: Path,
    whole: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    split: int,
    calls: int,
) -> None:
    """In the first or second validation, or in the test; the scoring is repeated on resuming."""
    count = 0

    def signalled(model: Any, rows: Any, *args: Any, **settings: Any) -> dict[str, float]:
        nonlocal count
        count += 1
        if count == calls:
            signal.raise_signal(signal.SIGTERM)
        return scores(model, rows, *args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(next_token, "scores", signalled)
        done = call("train", *flags)
    steps = [3, 6, 6][calls - 1]
    assert (done.status, done.err) == (128 + signal.SIGTERM, "")
    assert done.out.splitlines()[-1].startswith(f"stopped after step {steps}; to continue: ")
    assert call("train", "--resume", tmp_path / "run").status == 0
    assert left_behind(tmp_path / "run") == whole


@pytest.mark.parametrize("after", [0, 1])
def test_a_reader_who_goes_away_changes_nothing(
    flags: list[str],
    tmp_path: Path,
    whole: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    """It goes at an epoch's line or at the samples below it; these have been drawn by then."""

    class Gone(io.StringIO):
        seen = 0

        def write(self, text: str) -> int:
            self.seen += self.seen > 0 or text.startswith("epoch 0: ")
            if self.seen > after:
                raise BrokenPipeError
            return super().write(text)

        def fileno(self) -> int:
            return 1

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup2", lambda *_: None)
        assert call("train", *flags, out=Gone()).status == 0
    assert not (tmp_path / "run" / "test.json").exists()
    assert call("train", "--resume", tmp_path / "run").status == 0
    assert left_behind(tmp_path / "run") == whole


@pytest.mark.parametrize("step", [1, 3, 5])
def test_an_output_that_fails_costs_no_step(
    flags: list[str],
    tmp_path: Path,
    whole: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """For example a terminal that is closed, or a file on a full disk."""
    shown = 0

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    def gone(self: Console, *_: Any) -> None:
        nonlocal shown
        shown += 1
        if shown == step:
            self.stream = Gone()
        self.line()

    with monkeypatch.context() as patch:
        patch.setattr(Console, "update", gone)
        done = call("train", *flags)
    assert (done.status, done.err) == (1, "teenygpt_np.train: error: output: Input/output error\n")
    _, meta = checkpoint.load(tmp_path / "run" / "last.npz")
    assert meta["step"] == step
    assert call("train", "--resume", tmp_path / "run").status == 0
    assert left_behind(tmp_path / "run") == whole


# -- where it stopped ------------------------------------------------------------------------------


def test_killed_while_compiling(flags: list[str], tmp_path: Path, whole: dict[str, Any]) -> None:
    """There is only a config.json: resuming starts anew, on the same text."""
    out = tmp_path / "run"
    call("train", *flags, "--quiet")
    for path in [*out.glob("*.npz"), *(out / n for n in ("metrics.jsonl", "test.json", ".lock"))]:
        path.unlink()
    shutil.rmtree(out / "samples")
    (out / "samples").mkdir()
    assert call("train", "--resume", out).status == 0
    assert left_behind(out) == whole


def test_the_first_checkpoint_comes_before_the_first_step(flags: list[str], tmp_path: Path) -> None:
    """A kill between the writing of the first epoch's files must leave one."""
    with mock.patch.object(Trainer, "_step", side_effect=OSError(5, "Input/output error")):
        assert call("train", *flags).status == 1
    _, meta = checkpoint.load(tmp_path / "run" / "last.npz")
    assert meta["step"] == 0


def test_a_long_epoch_is_saved_in_its_midst(
    flags: list[str], tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer._step

    def killed(self: Trainer, *batch: Any) -> Any:
        if self.place.step == 5:
            raise OSError(errno.EIO, "Input/output error", "a file")
        return step(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_SAVE_AFTER", 0.0)
        patch.setattr(Trainer, "_step", killed)
        assert call("train", *flags).status == 1
    _, meta = checkpoint.load(tmp_path / "run" / "last.npz")
    assert (meta["step"], meta["batches_done"]) == (5, 2)
    assert call("train", "--resume", tmp_path / "run").status == 0
    assert left_behind(tmp_path / "run") == whole


@pytest.mark.parametrize("torn", [b'{"epoch": 1, "st', b'{"epoch": 1}\n{"ep', b"\xff\n\x00"])
def test_a_torn_line_is_mended(
    corpus: Path, tmp_path: Path, whole: dict[str, Any], torn: bytes
) -> None:
    out = mutants.stopped_run(tmp_path)
    told = out / "metrics.jsonl"
    before = told.read_bytes()
    with told.open("ab") as file:
        file.write(torn)
    assert call("train", "--resume", out).status == 0
    assert told.read_bytes().startswith(before)
    assert [json.loads(line)["epoch"] for line in told.read_bytes().splitlines()] == [0, 1]


def test_another_software_is_told(flags: list[str], tmp_path: Path) -> None:
    """Nothing is printed for the same software."""
    out = mutants.stopped_run(tmp_path)
    shutil.copytree(out, tmp_path / "same")
    arrays, meta = checkpoint.load(out / "last.npz")
    versions = {**meta["versions"], "numpy": "1.0", "numba": "0.1"}
    checkpoint.save(out / "last.npz", arrays, {**meta, "threads": 99, "versions": versions})
    numba = version("numba") if mg.get_backend() != "numpy" else "none"
    line = (
        f"threads 99, now {mg.get_num_threads()}; numpy 1.0, now {np.__version__}; "
        f"numba 0.1, now {numba}\n"
    )
    assert line in call("train", "--resume", out).out
    assert ", now " not in call("train", "--resume", tmp_path / "same").out


def test_another_text_before_there_is_a_checkpoint(flags: list[str], tmp_path: Path) -> None:
    out = mutants.stopped_run(tmp_path)
    for name in ("last.npz", "best.npz", "metrics.jsonl"):
        (out / name).unlink()
    text = tmp_path / "lines.txt"
    text.write_text(text.read_text(encoding="utf-8").replace("king", "kong"), encoding="utf-8")
    call("train", "--resume", out).assert_refused(r"config\.json was trained on another text than ")


# -- one owner -------------------------------------------------------------------------------------


def test_a_second_process_is_refused(flags: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", *flags, "--epochs=100000")
    try:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch 0: "):
            assert process.poll() is None
        done = call("train", "--resume", out)
        done.assert_refused(f"run is in use by another process, {process.pid}\n$")
    finally:
        process.kill()
        process.communicate()
    with run_directory.lock(out):  # the system has released it
        assert (out / ".lock").read_text("utf-8") == str(os.getpid())
        with pytest.raises(InputError, match=f"in use by another process, {os.getpid()}$"):
            run_directory.lock(out)
    run_directory.lock(out).close()


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_where_there_are_no_locks_nothing_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def none(*_: Any) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    with run_directory.lock(tmp_path), run_directory.lock(tmp_path):
        pass


def test_two_that_start_at_once_have_a_directory_each(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One makes its directory while the other reads the text."""
    made = starting.trainer_of

    def slow(*args: Any) -> Trainer:
        Path("runs", "lines-small-1").mkdir(parents=True)
        return made(*args)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(starting, "trainer_of", slow)
    done = call("train", *(f for f in flags if not f.startswith("--out")), "--max-steps=1")
    assert (done.status, done.err) == (0, "")
    assert sorted(p.name for p in Path("runs").iterdir()) == ["lines-small-1", "lines-small-2"]
    assert not any(Path("runs", "lines-small-1").iterdir())


@pytest.mark.parametrize("name", ["metrics.jsonl", "best.npz", "last.npz"])
def test_what_is_left_of_a_run_is_not_overwritten(
    flags: list[str], tmp_path: Path, name: str
) -> None:
    """Not by a new run, nor by a resumed one that would have to start anew."""
    left = tmp_path / "run" / name
    left.parent.mkdir()
    left.write_bytes(b"precious")
    call("train", *flags).assert_refused("run holds files of another run; wanted a new --out")
    call("train", *flags, "--out", tmp_path / "other", "--quiet")
    shutil.copy(tmp_path / "other" / "config.json", left.parent)
    call("train", "--resume", left.parent).assert_refused(r"last\.npz is n")
    assert left.read_bytes() == b"precious"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere links take a privilege")
def test_a_lock_that_is_another_file_as_well_is_not_written(tmp_path: Path) -> None:
    out, other = mutants.stopped_run(tmp_path), tmp_path / "other"
    other.write_text("precious", encoding="utf-8")
    (out / ".lock").unlink(missing_ok=True)
    (out / ".lock").hardlink_to(other)
    assert call("train", "--resume", out, "--quiet").status == 0
    assert other.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("name", ["file", "file/x", "file/x/y"])
def test_a_file_in_the_way(flags: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    done = call("train", *flags, "--out", tmp_path / name)
    done.assert_refused(r"file is a file; wanted a new directory\n$")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere links take a privilege")
@pytest.mark.parametrize("name", ["config.json", ".lock", "metrics.jsonl", "samples"])
def test_a_run_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    """By a link, even a dangling one, or a pipe, which must not be waited for."""
    out = mutants.stopped_run(tmp_path)
    path = out / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        call("train", "--resume", out).assert_refused(f"{path} is a link or a pipe; wanted ")
        path.unlink()
        os.mkfifo(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lines.txt", "run"]


# -- numbers ---------------------------------------------------------------------------------------


def spoiled(monkeypatch: pytest.MonkeyPatch, name: str, step: int, steps_done: list[int]) -> None:
    """Make a kernel return NaN from that step on; the steps done are recorded."""
    kernel, do_step = getattr(kernels, name), Trainer._step

    def spoil(*args: Any, **settings: Any) -> Any:
        result = kernel(*args, **settings)
        if len(steps_done) < step:
            return result
        if isinstance(result, tuple):
            return (result[0] * np.float32(np.nan), *result[1:])
        return result * np.float32(np.nan)

    def counted(self: Trainer, *batch: Any) -> Any:
        result = do_step(self, *batch)
        steps_done.append(self.place.step)
        return result

    monkeypatch.setattr(kernels, name, spoil)
    monkeypatch.setattr(Trainer, "_step", counted)


@pytest.mark.parametrize("clip", ["0", "1"])
@pytest.mark.parametrize(
    ("kernel", "what", "operation"),
    [("mlp", "loss", "mlp"), ("layer_norm_vjp", "gradient's norm", "layer_norm's vjp")],
)
def test_the_first_operation_that_gave_nan_is_named(
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kernel: str,
    what: str,
    operation: str,
    clip: str,
) -> None:
    """The run stops before the optimizer's step, and saves nothing."""
    done_steps: list[int] = []
    spoiled(monkeypatch, kernel, 4, done_steps)
    done = call("train", *flags, f"--clip-grad-norm={clip}", "--quiet")
    done.assert_refused(
        rf"the {what} at step 4 is nan, first {operation} gave nan; a smaller --lr than 0\.01 may "
        r"help; the last good checkpoint is .*run.last\.npz, after step 3\n$"
    )
    assert done_steps == [1, 2, 3, 4]
    _, meta = checkpoint.load(tmp_path / "run" / "last.npz")
    assert meta["step"] == 3


def test_weights_that_are_no_numbers_are_not_saved(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the last loss and its gradient were finite."""
    do_step = Trainer._step

    def spoil(self: Trainer, *batch: Any) -> Any:
        loss = do_step(self, *batch)
        if self.place.step == 2:
            bias = dict(self.model.named_parameters())["logits.0.bias"]
            bias.data = np.full(bias.shape, np.inf)
            self.stop_signal = signal.SIGINT
        return loss

    monkeypatch.setattr(Trainer, "_step", spoil)
    done = call("train", *flags, "--quiet")
    done.assert_refused(r"model/logits\.0\.bias holds NaN or infinity after step 2; .*after step 0")
    arrays, _ = checkpoint.load(tmp_path / "run" / "last.npz")
    assert run_directory.not_finite(arrays) == ""


# -- files that are not what they were -------------------------------------------------------------


def test_mutated_files(tmp_path: Path) -> None:
    """One of each kind; `python tests/long/mutants.py` has 2,000."""
    for row in mutants.attempts(tmp_path, len(mutants.CASES)).values():
        assert row.wrong == []
        assert row.tried == row.refused + row.handled == 1
