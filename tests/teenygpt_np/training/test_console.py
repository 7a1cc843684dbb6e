"""What is printed while training runs, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from teenygpt_np.training import console
from teenygpt_np.training.console import Console, duration


class Terminal(io.StringIO):
    """A stream that claims to be a terminal, and knows what would be seen there."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """The lines as seen at the end: text after a carriage return overwrites the line."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown: list[str] = []
            for part in line.split("\r"):
                shown[: len(part)] = part
            lines.append("".join(shown).rstrip())
        return lines


class Clock:
    """A clock whose time the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(console, "time", made)
    return made


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (0.4, "0:00"),
        (0.6, "0:01"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599.4, "59:59"),
        (3599.6, "1:00:00"),
        (3723, "1:02:03"),
        (360_000, "100:00:00"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_bar_on_a_terminal_without_blocks(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the locale C: a bar of signs that it has, not of escapes."""
    stream = Terminal()
    monkeypatch.setattr(Terminal, "encoding", "ascii", raising=False)
    Console(stream).update("epoch 0", 4, 8, "loss 8", 60)
    assert stream.screen() == [f"epoch 0 {'#' * 12}{'.' * 12}  50%  loss 8  1:00 left"]


def test_a_bar_on_a_terminal(clock: Clock) -> None:
    stream = Terminal()
    shown = Console(stream)
    shown.line("title")
    shown.update("epoch 0", 0, 8, "loss 9.00", 100)
    assert stream.screen() == ["title", f"epoch 0 {'░' * 24}   0%  loss 9.00  1:40 left"]
    clock.now += 0.2
    shown.update("epoch 0", 4, 8, "loss 8", 60)  # shorter: the longer line must be erased
    assert stream.screen()[1] == f"epoch 0 {'█' * 12}{'░' * 12}  50%  loss 8  1:00 left"
    clock.now += 0.2
    shown.update("epoch 0", 8, 8, "loss 7.00", 0)
    assert stream.screen()[1] == f"epoch 0 {'█' * 24} 100%  loss 7.00  0:00 left"
    shown.line("done")
    assert stream.screen() == ["title", "done", ""]


def test_a_narrow_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, seen in (
        (45, f"epoch 0 {'█' * 4}{'░' * 5}  50%  loss 9.00  1:40 left"),
        (20, "epoch 0   50%  loss"),
    ):
        monkeypatch.setenv("COLUMNS", str(columns))
        stream = Terminal()
        Console(stream).update("epoch 0", 4, 8, "loss 9.00", 100)
        assert stream.screen() == [seen]


def test_a_bar_is_not_redrawn_at_once(clock: Clock) -> None:
    stream = Terminal()
    shown = Console(stream)
    shown.update("a", 1, 2, "", 0)
    before = stream.getvalue()
    clock.now += 0.05
    shown.update("a", 2, 2, "", 0)
    assert stream.getvalue() == before
    clock.now += 0.06
    shown.update("a", 2, 2, "", 0)
    assert stream.getvalue() != before


def test_plain_lines_elsewhere_few_and_without_control_characters(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Console(stream)
    for done in range(1, 41):  # a second each
        shown.update("epoch 2", done, 40, f"loss {done}", 40 - done)
        clock.now += 1
    shown.line("end")
    assert stream.getvalue() == (
        "epoch 2   2%  loss 1  0:39 left\n"
        "epoch 2  28%  loss 11  0:29 left\n"
        "epoch 2  52%  loss 21  0:19 left\n"
        "epoch 2  78%  loss 31  0:09 left\n"
        "end\n"
    )


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_says_nothing(clock: Clock, stream: io.StringIO) -> None:
    shown = Console(stream, quiet=True)
    shown.update("a", 1, 2, "b", 3)
    shown.line("c")
    shown.line()
    assert stream.getvalue() == ""


def test_it_writes_to_stdout_and_flushes(capsys: pytest.CaptureFixture[str]) -> None:
    Console().line("hello")
    Console().line()
    assert capsys.readouterr().out == "hello\n\n"


def test_nothing_to_do_is_done(clock: Clock) -> None:
    stream = io.StringIO()
    Console(stream).update("a", 0, 0, "b", 0)
    assert stream.getvalue() == "a   0%  b  0:00 left\n"
