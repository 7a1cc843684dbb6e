"""`--data -`: a run keeps a copy of its text, and one that does not begin leaves nothing behind."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from running import SMALL, TEXT, Result, call, left_behind, tiny_run

from teenygpt_np.run_directory import lock


class Stream(io.RawIOBase):
    """These bytes; and then, if there is one, this error."""

    def __init__(self, content: bytes, error: type[BaseException] | None = None) -> None:
        self.rest, self.error = io.BytesIO(content), error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.rest.readinto(buffer)
        if not count and self.error:
            raise self.error
        return count


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call a command with these bytes as its standard input."""

    def call_fed(content: bytes, *arguments: str | Path, error: Any = None) -> Result:
        buffer = io.BufferedReader(Stream(content, error))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(buffer, encoding="utf-8"))
        return call(*map(str, arguments))

    return call_fed


TRAIN = ["train", "--data=-", *SMALL, "--quiet"]


def test_the_same_run_as_on_a_file(tmp_path: Path, fed: Any) -> None:
    """And it is resumed, from the copy."""
    wanted = left_behind(tiny_run(tmp_path))
    out = tmp_path / "fed" / "run"
    content = TEXT.replace("\n", "\r\n").encode("utf-16")
    done = fed(content, *TRAIN, "--out", out, "--epochs=2", "--encoding=utf-16")
    assert (done.status, done.err) == (0, "")
    assert (out / "text.txt").read_bytes() == content
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))["config"]
    assert (config["data"], config["encoding"]) == (str(out / "text.txt"), "utf-16")
    found = left_behind(out)
    for name, value in wanted.items():
        if name != "config.json" and not name.endswith(".npz"):  # these name the text
            assert found[name] == value, name
    assert call("evaluate", out).status == 0
    assert call("train", "--resume", out, "--epochs=3", "--quiet").status == 0
    done = fed(b"", "train", "--resume", out, "--data=-")
    done.assert_refused("--data - can't be given with --resume: a run has a copy of what")


def test_the_first_free_directory(tmp_path: Path, fed: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert fed(TEXT.encode(), *TRAIN, "--max-steps=1").status == 0
        assert (tmp_path / "runs" / f"stdin-small-{number}" / "text.txt").is_file()


HOPELESS: list[tuple[bytes, str]] = [
    (b"", "standard input is empty: 0 lines read"),
    (b"king\n", "standard input has 1 distinct lines, wanted at least 10"),
    (b"king\n\xff", "standard input, line 2: byte 0xff at offset 5 is not utf-8"),
]


@pytest.mark.parametrize(("content", "message"), HOPELESS)
@pytest.mark.parametrize("out", ["a/b/c", "given", ""])
def test_a_text_that_cannot_be_used_leaves_nothing(
    tmp_path: Path, fed: Any, monkeypatch: Any, content: bytes, message: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given").mkdir()
    done = fed(content, *TRAIN, *(["--out", out] if out else []))
    done.assert_refused(f"error: {message}")
    assert list(tmp_path.rglob("*")) == [tmp_path / "given"]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (OSError, 1)])
def test_reading_that_is_interrupted_leaves_nothing(
    tmp_path: Path, fed: Any, error: type[BaseException], status: int
) -> None:
    done = fed(TEXT.encode(), *TRAIN, "--out", tmp_path / "a" / "b", error=error)
    assert done.status == status
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays(tmp_path: Path, fed: Any) -> None:
    (tmp_path / "text.txt").write_text("mine", encoding="utf-8")
    done = fed(TEXT.encode(), *TRAIN, "--out", tmp_path)
    done.assert_refused(r"text\.txt is there already; wanted a new --out")
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_a_directory_that_another_process_begins_with_stays(tmp_path: Path, fed: Any) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with lock(out):
        fed(TEXT.encode(), *TRAIN, "--out", out).assert_refused("in use by another process")
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_a_terminal_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(closed=False, isatty=lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    out = tmp_path / "run"
    call(*TRAIN, "--out", str(out)).assert_refused("standard input is a terminal; wanted a text")
    assert not out.exists()


def test_scores_of_it(tmp_path: Path, fed: Any) -> None:
    run = tiny_run(tmp_path)
    done = fed(
        b"king wins\ncity \xe9\n", "evaluate", run, "--data=-", "--encoding=latin-1", "--json"
    )
    told = json.loads(done.out)
    assert (told["data"], told["split"], told["lines"]) == ("standard input", "all", 2)
    by_file = json.loads(call("evaluate", run, "--split=val", "--json").out)
    split = fed(TEXT.encode(), "evaluate", run, "--data=-", "--split=val", "--json")
    assert json.loads(split.out) | {"data": "lines.txt"} == by_file
    fed(b"\xff", "evaluate", run, "--data=-").assert_refused(
        "^.*error: standard input, line 1: byte"
    )
    done = fed(b"", "evaluate", run, "--encoding=no")
    done.assert_refused("--encoding is 'no', wanted the name of one, such as utf-8")
