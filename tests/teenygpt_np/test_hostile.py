"""Unintended input: arguments, texts, pipes, environments, too little memory.

A command handles it or refuses it in one line, with status 2 (1 for memory), never a traceback.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from running import LINES, SMALL, TEXT, call, tiny_run

from teenygpt_np import checkpoint
from teenygpt_np.text import files, saved

GRAMMAR = str(ROOT / "data" / "grammar.py")
COMMANDS = ["train", "sample", "evaluate", "inspect", "classify", "merge"]
VALUES = ["0", "-1", "nan", "inf", "1e-300", str(2**64), "", "word"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("hostile"))


# -- arguments -------------------------------------------------------------------------------------


def takers(parser: argparse.ArgumentParser) -> list[str]:
    """The flags that take a value; "" for an argument without a flag."""
    taking = [action for action in parser._actions if action.nargs != 0]
    return [max(action.option_strings, key=len, default="") for action in taking]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_at_every_value(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = takers(importlib.import_module(f"teenygpt_np.{name}")._parser())
    assert len(flags) > 1
    number = 0
    for flag in flags:
        for value in VALUES:
            number += 1
            arguments: list[str | Path] = [f"{flag}={value}" if flag else value]
            if name == "train" and flag != "--resume":
                arguments = [
                    "--data",
                    run.parent / "lines.txt",
                    *SMALL,
                    "--max-steps=1",
                    *arguments,
                ]
                arguments += [] if flag == "--out" else [f"--out=run-{number}"]
            elif flag:
                arguments = [run, *arguments]
            done = call(name, *arguments)
            told = flag in ("--prompt", "--text") and done.err.startswith(
                ("read as spaces", "the model reads")
            )
            assert done.status in (0, 2), done
            assert done.err.count("\n") == (done.status != 0 or told), done


@pytest.mark.parametrize("flag", ["--sample", "--seed"])
def test_the_grammar_s_flags(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    for value in VALUES:
        monkeypatch.setattr(sys, "argv", [GRAMMAR, "--sample=2", f"{flag}={value}"])
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(GRAMMAR, run_name="__main__")
        out, err = capsys.readouterr()
        assert (caught.value.code, out.count("\n"), err.count("\n")) in ((0, 2, 0), (2, 0, 1))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--num-emb=100000"],
            "the model would have 80,00.* parameters, wanted at most 1,000,000,000",
        ),
        (["--num-blocks=1001"], "--num-blocks is 1001, wanted at most 1,000"),
        (["--num-tokens=10001"], "--num-tokens is 10001, wanted at most 10,000"),
        (["--threads=1025"], "--threads is 1025, wanted 1..1,024"),
        (["--out="], "argument --out: invalid path value: ''"),
        (["a\nb\x1b[2J"], r"unrecognized arguments: a b\?\[2J; --help lists the arguments"),
        (["--data="], "argument --data: invalid path value: ''"),
    ],
)
def test_too_much_or_nothing(run: Path, tmp_path: Path, flags: list[str], message: str) -> None:
    data = run.parent / "lines.txt"
    done = call("train", "--data", data, "--out", tmp_path / "a", *SMALL, *flags)
    done.assert_refused(message)


# -- texts -----------------------------------------------------------------------------------------


def jsonl(*texts: str) -> bytes:
    return "".join(json.dumps({"t": text}) + "\n" for text in texts).encode()


def every(line: str) -> str:
    """LINES, each put at `{line}` in this line."""
    return "".join(line.format(line=text) + "\n" for text in LINES)


HANDLED: dict[str, tuple[str, bytes]] = {
    "a byte order mark": ("a.txt", ("\ufeff" + TEXT).encode()),
    "CRLF": ("a.txt", TEXT.replace("\n", "\r\n").encode()),
    "NULs": ("a.txt", TEXT.replace(" ", "\0").encode()),
    "control characters": ("a.txt", every("\x1b[31m{line}\x07\x85").encode()),
    "no line end at the end": ("a.txt", TEXT[:-1].encode()),
    "right to left": ("a.txt", every("\u202e\u05e9\u05dc\u05d5\u05dd {line}").encode()),
    "emoji": ("a.txt", every("\U0001f469\u200d\U0001f680 {line} \u2764\ufe0f").encode()),
    "marks without a letter": ("a.txt", every("\u0301\u0301{line}\u20dd").encode()),
    "lone surrogates": ("a.jsonl", jsonl(*(f"\ud83d{line}\udc00" for line in LINES))),
    "a column's name in surrogates": ("a.jsonl", jsonl(*LINES).replace(b'"t"', b'"\\ud800"')),
    "one character a line": ("a.txt", "\n".join(map(chr, range(0x4E00, 0x4E80))).encode()),
}


@pytest.mark.parametrize(("name", "content"), HANDLED.values(), ids=HANDLED)
def test_odd_texts(tmp_path: Path, name: str, content: bytes) -> None:
    data, out = tmp_path / name, tmp_path / "run"
    data.write_bytes(content)
    flags = [*SMALL, "--max-steps=1", "--alphabet=corpus"]
    for done in (
        call("train", "--data", data, "--out", out, *flags),
        call("evaluate", out),
        call("sample", out, "-n=2"),
    ):
        assert (done.status, done.err) == (0, "")
        done.out.encode()  # a terminal can show all of it


ONE_ROW = (b'","' + b"x" * 999 + b"\n") * 2**15  # each field ends in the next line
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "UTF-16": ("a.txt", TEXT.encode("utf-16-le") + b"\xff\xfe", "not utf-8; --encoding=utf-16-le"),
    "Latin-1": ("a.txt", every("\xe9{line}").encode("latin-1"), "byte 0xe9 at offset 0 .*cp1252"),
    "a picture": ("a.txt", b"\x89PNG\r\n\x1a\n\0\0", "byte 0x89 at offset 0 is not .* look"),
    "only blanks": ("a.txt", b" \t\n\r\n\0\n" * 99, "has no text: 297 lines read"),
    "one character": ("a.txt", b"a", "has 1 distinct lines, wanted at least 10"),
    "emoji alone": ("a.txt", "\U0001f680\n".encode() * 20, "has no text: 20 lines read"),
    "one line of 100 MB": ("a.txt", b"king " * 20_000_000, "line 1: more than 16,777,216 char"),
    "a bomb of one line": ("a.txt.gz", b"\0" * 2**27, "line 1: more than 16,777,216 char"),
    "a bomb of one row": ("a.csv.gz", b"t\n\"\n" + ONE_ROW, "row from line 2: more than 16"),
    "JSON too deep": ("a.jsonl", b'{"t":' + b"[" * 100_000, "line 1: "),
    "JSON with a huge number": ("a.jsonl", b'{"t":' + b"9" * 9999 + b"}", "line 1: "),
    "JSON with NaN": ("a.jsonl", b'{"t": NaN}', "line 1: 't' is nan, wanted a text"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), REFUSED.values(), ids=REFUSED)
def test_hopeless_texts(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    data = tmp_path / name
    data.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    call("train", "--data", data, "--out", tmp_path / "run", *SMALL).assert_refused(message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("limit", "name", "content"),
    [
        ("_MOST_TEXTS", "a.txt.gz", b"\n" * 10**6),
        ("_MOST_CHARACTERS", "a.txt.gz", b"king wins\n" * 10**5),
        ("_MOST_TEXTS", "a.csv.gz", b"a,t\n" + b"\n" * 10**6),
        ("_MOST_TEXTS", "a.jsonl.gz", b'{"a": "b"}\n' * 10**5),
    ],
)
def test_bombs_of_many_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, name: str, content: bytes
) -> None:
    monkeypatch.setattr(files, limit, 5000)
    (tmp_path / name).write_bytes(gzip.compress(content))
    flags = [] if ".txt" in name else ["--column=t"]
    done = call("train", "--data", tmp_path / name, "--out", tmp_path / "run", *SMALL, *flags)
    done.assert_refused("is too large: more than .*5,000 ")


@pytest.mark.parametrize("flags", [[], ["--text=running"]])
def test_a_bomb_is_no_more_than_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    monkeypatch.setattr(saved, "MOST_HELD", 5000)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"king wins\n" * 10**5))
    out = tmp_path / "run"
    done = call("train", "--data", tmp_path / "a.txt.gz", "--out", out, *SMALL, *flags)
    done.assert_refused("the text is too large: more than 5,000 tokens in memory")
    assert not out.exists()


STRAY = {
    "another name": ("samples/epoch_x.txt", b"king wins talks\n"),
    "no text": ("samples/epoch_009.txt", b"\xff king\n"),
    "a deep line": ("metrics.jsonl", b"[" * 100_000),
    "a deep result": ("test.json", b"[" * 100_000),
    "no settings": ("config.json", b"[" * 100_000),
}


@pytest.mark.parametrize(("name", "content"), STRAY.values(), ids=STRAY)
def test_what_the_inspector_reads(run: Path, tmp_path: Path, name: str, content: bytes) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    (out / name).write_bytes(content)
    call("inspect", out, "--text=king").assert_refused("run is no run directory: ")
    assert call("inspect", out).status == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["config.json", "samples/epoch_009.txt"])
def test_the_inspector_waits_for_no_pipe(run: Path, tmp_path: Path, name: str) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    (out / name).unlink(missing_ok=True)
    os.mkfifo(out / name)
    call("inspect", out).assert_refused(f"{name} is a link or a pipe; wanted ")
    call("inspect", run, "--against", out).assert_refused(f"{name} is a link or a pipe; wanted ")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is Unicode")
def test_names_that_are_not_utf_8(run: Path, tmp_path: Path) -> None:
    data, out = (tmp_path / os.fsdecode(name) for name in (b"\xff.txt", b"\xff"))
    data.write_text(TEXT, encoding="utf-8")
    for done in (
        call("train", "--data", data, "--out", out, *SMALL, "--max-steps=1"),
        call("sample", out, "-n=2"),
        call("evaluate", out),
        call("inspect", out),
    ):
        assert (done.status, done.err) == (0, "")
    call("train", "--resume", out).assert_refused(r"/\? is finished, after 1 steps, max_steps")


# -- pipes and environments ------------------------------------------------------------------------


def programs(run: Path, out: Path) -> list[list[str]]:
    """Each command with valid arguments, as a separate program."""
    train = ["--data", run.parent / "lines.txt", "--out", out, *SMALL, "--max-steps=1"]
    return [
        ["-m", "teenygpt_np.train", *map(str, train)],
        ["-m", "teenygpt_np.sample", str(run), "-n=3", "--seed=1"],
        ["-m", "teenygpt_np.evaluate", str(run)],
        ["-m", "teenygpt_np.train", "--help"],
        [GRAMMAR, "--sample=9000"],
    ]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere pipes break in another way")
def test_nobody_reads_the_output(run: Path, tmp_path: Path) -> None:
    """As with `| head`, but the reader has gone before the first byte is written."""
    read, write = os.pipe()
    os.close(read)
    env = os.environ | {"MINIGRAD_BACKEND": "numpy"}  # it loads faster
    for program in programs(run, tmp_path / "run"):
        done = subprocess.run(
            [sys.executable, *program],
            env=env,
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
        assert (program, done.returncode, done.stderr) == (program, 0, b"")
    os.close(write)


def test_the_environment_changes_no_byte(tmp_path: Path) -> None:
    data, out = tmp_path / "a.txt", tmp_path / "run"
    data.write_text(every("\u00c9{line}"), encoding="utf-8")
    flags = ["--data", data, "--out", out, *SMALL, "--alphabet=corpus", "--max-steps=1", "--quiet"]
    train = ["-m", "teenygpt_np.train", *map(str, flags)]
    found = []
    for environment in (
        {"LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"LANG": "C.UTF-8", "PYTHONHASHSEED": "2", "PYTHONUTF8": "1"},
    ):
        env = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "PYTHONUTF8")}
        env |= {"MINIGRAD_BACKEND": "numpy"} | environment
        printed = [
            subprocess.run(
                [sys.executable, *program], env=env, capture_output=True, timeout=120, check=True
            ).stdout
            for program in (train, ["-m", "teenygpt_np.sample", str(out), "--seed=1", "-n=50"])
        ]
        assert "\u00c9".encode() in printed[1]
        files = {path.name: path.read_bytes() for path in out.rglob("*.t*")} | {
            "config.json": (out / "config.json").read_bytes()
        }
        arrays, _ = checkpoint.load(out / "best.npz")
        found.append((printed, files, {name: a.tobytes() for name, a in arrays.items()}))
        out.rename(tmp_path / f"run-{len(found)}")
    assert found[0] == found[1]


# -- too little memory -----------------------------------------------------------------------------

LIMITED = """
import resource, sys
from teenygpt_np import train
from teenygpt_np.cli import run_command

def limit(megabytes):
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

def in_use():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize() >> 20

if sys.argv[1] == "at the start":
    limit(in_use() + 200)
else:
    from teenygpt_np.training.log import Log
    Log.ready = lambda *_: limit(in_use())
run_command("x", lambda: train.main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS knows the limit, but does not keep it")
@pytest.mark.parametrize("when", ["at the start", "in a step"])
def test_a_limit_on_memory(run: Path, tmp_path: Path, when: str) -> None:
    flags = ["--data", run.parent / "lines.txt", "--out", tmp_path / "run", *SMALL]
    flags += ["--num-emb=512", "--num-neurons=8", "--quiet", "--epochs=1"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, when, *map(str, flags)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "x: error: out of memory; smaller batches or a smaller model need less\n"
