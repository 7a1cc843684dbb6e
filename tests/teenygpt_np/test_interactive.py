"""`sample --interactive`: lines in, texts out as they are written; on a terminal and in a pipe."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from running import Result, call, tiny_run

from teenygpt_np.interactive import COMMANDS, Settings
from teenygpt_np.run_directory import load_run
from teenygpt_np.text.folding import Folded
from teenygpt_np.writing import Continuing


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("talked"))


@pytest.fixture
def talk(run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call it with these lines as its standard input."""

    def call_with(lines: str, *flags: str) -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        return call("sample", run, "--interactive", *flags)

    return call_with


def written(run: Path, *flags: str) -> str:
    done = call("sample", run, "-n=1", *flags)
    assert done.status == 0
    return done.out


# -- in a pipe -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beginning", ["k", "city ", "", "The King"])
def test_the_same_text_as_without(run: Path, talk: Any, beginning: str) -> None:
    flags = ["--seed=3", "--temperature=1.5", "--top-k=9", "--top-p=0.9", "--length=20"]
    done = talk(f"{beginning}\n", *flags)
    assert (done.status, done.err) == (0, "")
    assert done.out == written(run, "--prompt", beginning, *flags)


def test_commands_change_the_settings(run: Path, talk: Any) -> None:
    lines = ":seed 3\n:t 1.5\n :k 9\n:k 9\n:p 0.9\n:n 20\nk\n:t\n:k\n:p\n:n\nk\n"
    done = talk(lines, "--temperature=0.7", "--top-k=5")
    flags = ["--seed=3", "--temperature=1.5", "--top-k=9", "--top-p=0.9", "--length=20"]
    odd, changed, back = done.out.splitlines(keepends=True)
    assert changed == written(run, "--prompt=k", *flags)
    assert back == written(run, "--prompt=k", "--seed=3", "--temperature=0.7", "--top-k=5")
    assert odd.startswith("k")  # no command, as it does not begin with the colon


def test_without_a_seed_texts_differ_and_with_one_they_do_not(talk: Any) -> None:
    first, *others = talk("k\n" * 5).out.splitlines()
    assert set(others) != {first}
    assert len(set(talk(":seed 1\n" + "k\n" * 5).out.splitlines())) == 1


def test_what_ends_it(talk: Any) -> None:
    assert talk("").out == ""
    assert len(talk("k\nk").out.splitlines()) == 2  # the end of a line may be missing
    assert len(talk("k\n:q\nk\n").out.splitlines()) == 1


def test_a_colon_at_a_text_s_beginning(talk: Any) -> None:
    done = talk("::k\n")
    assert done.out.startswith("k")
    assert done.err == "read as spaces, because the model does not know them: :\n"


REFUSED = [
    (":t warm", ":t is 'warm', wanted a number"),
    (":t -1", "temperature is -1.0, wanted a finite number, 0 or above"),
    (":k 1.5", ":k is '1.5', wanted a whole number"),
    (":k 0", "top_k is 0, wanted at least 1"),
    (":p 2", "top_p is 2.0, wanted 0 < top_p <= 1"),
    (":seed -1", "seed is -1, wanted 0 or above"),
    (":n 24", "length is 24, wanted 1..23"),
    (":n 0", "length is 0, wanted 1..23"),
    (":x", ":x is no command; :help lists them"),
    (":", ": is no command; :help lists them"),
    ("k" * 23, "the prompt has 23 characters, wanted at most 22, so that one can follow"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_is_refused_changes_nothing(run: Path, talk: Any, line: str, message: str) -> None:
    done = talk(f"{line}\nk\n", "--seed=1")
    assert (done.status, done.err) == (0, f"{message}\n")
    assert done.out == written(run, "--prompt=k", "--seed=1")


def test_help_names_every_command_and_its_setting(talk: Any) -> None:
    done = talk(":t 0.25\n:help\n")
    assert all(f"\n  {name} " in done.out for name in COMMANDS)
    assert re.search(r"\n  :t +0\.25 ", done.out)
    assert re.search(r"\n  :seed +none ", done.out)


@pytest.mark.parametrize("flag", ["-n=1", "--prompt=k"])
def test_flags_that_are_for_the_other_way(run: Path, flag: str) -> None:
    message = f"{flag.partition('=')[0]} can't be given with --interactive, where each line is a"
    call("sample", run, "--interactive", flag).assert_refused(message)


def test_bytes_that_are_no_text_and_no_input_at_all(run: Path) -> None:
    code = [sys.executable, "-m", "teenygpt_np.sample", str(run), "--interactive", "--seed=1"]
    done = subprocess.run(code, input=b"k\xff\n", capture_output=True, check=True)
    assert done.stdout.decode() == written(run, "--prompt=k\ufffd", "--seed=1").replace(
        "\n", os.linesep
    )
    if os.name == "posix":
        closed = subprocess.run([*code], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        assert (closed.stdout, closed.stderr) == (b"", b"")


# -- as it is written ------------------------------------------------------------------------------


class Bytes:
    """As much of a tokenizer as is asked for: each byte of UTF-8 is an id."""

    end, running = 256, False

    def fold_part(self, text: str, *, goes_on: bool) -> Folded:
        return Folded(text, changed=False, replaced={}, gap="")

    def encode_prompt(self, text: str) -> Any:
        return np.array(list(text.encode()))

    def decode(self, ids: list[int]) -> str:
        return bytes(i for i in ids if i != self.end).decode("utf-8", "replace")


@pytest.mark.parametrize(
    "text", [b"", "\u00e9t\u4e2d\U0001f680!".encode(), b"a\xffb", b"a\xf0\x9f"]
)
def test_a_character_is_shown_once_it_is_whole(text: bytes) -> None:
    columns = [np.array([byte]) for byte in [*text, Bytes.end]]
    model = SimpleNamespace(stream=lambda **_: iter(columns), num_tokens=99, most_tokens=99)
    run: Any = SimpleNamespace(model=model, tokenizer=Bytes())
    pieces = list(Continuing(run).pieces("\u00c9 ", Settings(1.0, None, None, None, 99)))
    assert "".join(pieces) == "\u00c9 " + text.decode("utf-8", "replace")
    assert max(map(len, pieces)) <= 2


def test_tokens_come_one_by_one_and_dropout_is_as_before(run: Path) -> None:
    trained = load_run(run)
    model, prompt = trained.model.train(), trained.tokenizer.encode_prompt("k").tolist()
    rows = model.sample(3, prompt=prompt, rng=np.random.default_rng(1))
    drawn = model.stream(3, prompt=prompt, rng=np.random.default_rng(1))
    for t in range(2, 7):
        assert next(drawn).tolist() == rows[:, t].tolist()
        assert not model.training
    drawn.close()
    assert model.training


# -- on a terminal ---------------------------------------------------------------------------------

# Writes for ever, so that it can only be stopped.
ENDLESS = """
import itertools
import signal
from teenygpt_np.cli import run_command
from teenygpt_np.interactive import Settings, Talk

def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    Talk(Settings(1.0, None, None, None, 9), lambda b, _: (c for c in itertools.cycle(b)), id).run()
    print("ended")
    return 0

run_command("talk", main)
"""


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self) -> None:
        import pty

        self.side, other = pty.openpty()
        streams: dict[str, Any] = {"stdin": other, "stdout": other, "stderr": other}
        environment = os.environ | {"TERM": "dumb"}
        self.process = subprocess.Popen([sys.executable, "-c", ENDLESS], env=environment, **streams)
        os.close(other)
        self.read = ""

    def type(self, text: str) -> None:
        os.write(self.side, text.encode())

    def until(self, pattern: str) -> str:
        """Read on until something matches; returns all up to the end of the match."""
        while not (match := re.search(pattern, self.read, re.DOTALL)):
            assert len(self.read) < 1 << 20, "it does not stop"
            self.read += os.read(self.side, 1 << 16).decode()
        self.read = self.read[match.end() :]
        return match[0]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.side)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    pytest.importorskip("pty")  # not on Windows
    made = Terminal()
    yield made
    made.close()


def test_ctrl_c_stops_the_text_and_ctrl_d_the_program(terminal: Terminal) -> None:
    terminal.until("Type the beginning of a text; :help tells what else.\r\n> ")
    for beginning in ("king", "rain"):
        terminal.type(f"{beginning}\n")
        terminal.until(f"(?:{beginning}){{20}}")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("\r\n> ")
    # Where nothing is written. If it comes before `input` waits, it is noticed after a line.
    terminal.process.send_signal(signal.SIGINT)
    terminal.type("\n:t x\n")
    terminal.until("wanted a number\r\n> ")
    terminal.type("\x04")
    terminal.until("\r\nended\r\n")
    assert terminal.process.wait() == 0


def test_q_ends_it_too(terminal: Terminal) -> None:
    terminal.until("> ")
    terminal.type(":q\n")
    terminal.until("ended\r\n")
    assert terminal.process.wait() == 0


@pytest.mark.skipif(os.name != "posix", reason="elsewhere another signal")
def test_in_a_pipe_ctrl_c_ends_the_program() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"king\n")
        process.stdin.flush()
        assert process.stdout.read(8) == b"kingking"
        process.send_signal(signal.SIGINT)
        assert len(process.stdout.read(1 << 20)) < 1 << 20, "it does not stop"
        assert process.wait() == 130
