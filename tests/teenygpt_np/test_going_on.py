"""`--resume` with other limits, a text that has moved, other threads; and short runs."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from running import SMALL, TEXT, after_step, call, write_corpus
from trainers import metrics

from teenygpt_np import checkpoint
from teenygpt_np.model.mixers import MIXERS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of three steps."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert call("train", "--data", corpus, "--out", out, *SMALL, "--epochs=2").status == 0
    return out


def test_a_finished_run_goes_on_by_more_epochs(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    done = call("train", "--resume", out, "--epochs", "3")
    assert (done.status, done.err) == (0, "")
    assert [m["epoch"] for m in metrics(out)] == [0, 1, 2]
    assert [m["step"] for m in metrics(out)] == [3, 6, 9]
    call("train", "--resume", out).assert_refused("run is finished, after 3 epochs")


@pytest.mark.parametrize(
    "flags",
    [
        "--positions=none",
        "--positions=none --experts=4",
        "--positions=none --experts=3 --active-experts=2 --optimizer=adamw",
        *[f"--mixer={name}" for name in MIXERS if MIXERS[name].knows_order],
    ],
)
def test_other_models_go_through_all_commands(corpus: Path, tmp_path: Path, flags: str) -> None:
    out, flags_of = tmp_path / "run", [*SMALL, *flags.split()]
    assert call("train", "--data", corpus, "--out", out, *flags_of, "--epochs=1").status == 0
    assert call("train", "--resume", out, "--epochs=2").status == 0
    arrays, _ = checkpoint.load(out / "best.npz")
    assert not [name for name in arrays if "positional" in name]
    for command in ("evaluate", "sample", "inspect"):
        done = call(command, out)
        assert (done.status, done.err) == (0, "")


def test_a_text_that_has_moved(corpus: Path, finished: Path, tmp_path: Path) -> None:
    """It is known by its hash; the run ends as the one that nobody disturbed."""
    old, new, out = tmp_path / "old.txt", tmp_path / "new" / "lines.txt", tmp_path / "run"
    shutil.copy(corpus, old)
    with after_step(4, lambda: signal.raise_signal(signal.SIGINT)):
        call("train", "--data", old, "--out", out, *SMALL, "--epochs=2")
    new.parent.mkdir()
    old.rename(new)
    call("train", "--resume", out).assert_refused(
        r"old\.txt, the text of \S*run, is not there; if it has moved, --data says"
    )
    assert call("evaluate", out).err == call("train", "--resume", out).err.replace(
        "train", "evaluate"
    )
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("king", "kong"), encoding="utf-8")
    done = call("train", "--resume", out, "--data", other)
    done.assert_refused(r"last\.npz was trained on another text than other\.txt is now")
    assert call("train", "--resume", out, "--data", new).status == 0
    assert json.loads((out / "config.json").read_text("utf-8"))["config"]["data"] == str(new)
    for name in ("best.npz", "last.npz"):
        ours, want = (checkpoint.load(directory / name)[0] for directory in (out, finished))
        assert {k: a.tobytes() for k, a in ours.items()} == {
            k: a.tobytes() for k, a in want.items()
        }
    assert call("evaluate", out).status == 0


def test_a_text_of_several_files(corpus: Path, tmp_path: Path) -> None:
    """Given together or one by one; they may move."""
    a, b, out = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "run"
    lines = TEXT.splitlines(keepends=True)
    a.write_text("".join(lines[:30]), encoding="utf-8")
    b.write_text("".join(lines[30:]), encoding="utf-8")
    with after_step(4, lambda: signal.raise_signal(signal.SIGINT)):
        done = call("train", "--data", a, b, "--out", out, *SMALL, "--epochs=2")
    assert done.out.startswith("a.txt and 1 more: 48 ")
    config = json.loads((out / "config.json").read_text("utf-8"))["config"]
    assert (config["data"], config["more_data"]) == (str(a), [str(b)])
    moved = b.rename(tmp_path / "c.txt")
    call("train", "--resume", out).assert_refused(r"b\.txt, the text of \S*run, is not there; if")
    call("train", "--resume", out, "--data", a).assert_refused("was trained on another text than")
    assert call("train", "--resume", out, f"--data={a}", f"--data={moved}").status == 0
    assert call("evaluate", out).status == 0
    assert '"data":"a.txt, c.txt"' in (out / "report.html").read_text("utf-8")
    call("train", "--data", a, "-").assert_refused("--data - is standard input, and is given alone")


def test_resume_takes_the_run_s_number_of_threads(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for threads in ("3", "1"):  # neither may be what this machine has
        with after_step(2, lambda: signal.raise_signal(signal.SIGINT)):
            flags = ["--data", corpus, "--out", out / threads, *SMALL, "--threads", threads]
            call("train", *flags)
        done = call("train", "--resume", out / threads, "--epochs=1")
        assert f", threads: {threads}, " in done.out
        assert "the last bits may now differ" not in done.out
    other = call("train", "--resume", out / "3", "--epochs=2", "--threads=2")
    assert "the last bits may now differ, because of threads 3, now 2\n" in other.out


def test_a_short_run_reaches_its_learning_rate(corpus: Path, tmp_path: Path) -> None:
    """60 lines are 21 steps of 16: with 100 of warm-up the learning rate would never be reached."""
    done = call("train", "--data", corpus, "--out", tmp_path / "a", *SMALL)
    assert "    the learning rate rises in the first 2 of 21 steps, not in 100\n" in done.out
    told = call("train", "--data", corpus, "--out", tmp_path / "b", *SMALL, "--warmup-steps=2")
    assert "the learning rate rises" not in told.out
    ours, same = (checkpoint.load(tmp_path / name / "last.npz")[0] for name in "ab")
    assert {k: a.tobytes() for k, a in ours.items()} == {k: a.tobytes() for k, a in same.items()}
