"""`teenygpt_np.sample`: headlines on stdout and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import LINES, SMALL, call, start, tiny_run

from teenygpt_np.run_directory import load_run

ALPHABET = set("abcdefghijklmnopqrstuvwxyz ")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("sampled"))


def lines(run: Path, *arguments: str) -> list[str]:
    """The printed lines, after a run without error."""
    done = call("sample", run, *arguments)
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("\n")
    return done.out[:-1].split("\n")


@pytest.mark.parametrize("n", [1, 10, 70])  # more than a batch of 64
def test_as_many_lines_as_asked_for(run: Path, n: int) -> None:
    found = lines(run, "-n", str(n))
    assert len(found) == n
    assert all(set(line) <= ALPHABET and len(line) < 24 for line in found)
    assert len(set(found)) > n // 2


def test_ten_if_not_told(run: Path) -> None:
    assert len(lines(run)) == 10


def test_they_are_the_model_s(run: Path) -> None:
    """The same as one batch drawn by the library with the same generator."""
    trained = load_run(run)
    settings: dict[str, Any] = {"temperature": 0.9, "top_k": 20, "top_p": 0.95}
    settings |= {"prompt": trained.tokenizer.encode_prompt(""), "end": trained.tokenizer.end}
    ids = trained.model.sample(5, **settings, rng=np.random.default_rng(3))
    flags = ["-n=5", "--seed=3", "--temperature=0.9", "--top-k=20", "--top-p=0.95"]
    assert lines(run, *flags) == [trained.tokenizer.decode(row) for row in ids]


def test_a_seed_repeats_and_none_does_not(run: Path) -> None:
    assert lines(run, "--seed=5") == lines(run, "--seed=5") != lines(run, "--seed=6")
    assert lines(run) != lines(run)


def test_temperature_0_takes_the_likeliest(run: Path) -> None:
    (one,) = set(lines(run, "--temperature=0"))
    assert set(lines(run, "--temperature=0", "--seed=8")) == {one}
    assert set(lines(run, "--top-k=1")) == {one}
    assert set(lines(run, "--top-p=1e-9")) == {one}


@pytest.mark.parametrize("prompt", ["k", "city ", "new town wins again x"])
def test_the_prompt_is_the_beginning(run: Path, prompt: str) -> None:
    assert all(line.startswith(prompt) for line in lines(run, "--prompt", prompt))


def test_the_prompt_is_folded_as_the_text_was(run: Path) -> None:
    assert all(line.startswith("ete a") for line in lines(run, "--prompt", " \u00c9te\u0301  A"))
    done = call("sample", run, "--prompt", "a\u4e2db!")
    assert done.status == 0
    assert all(line.startswith("a b") for line in done.out.splitlines())
    assert "\u4e2d" in done.err
    assert "!" in done.err
    assert done.err.count("\n") == 1


def test_a_prompt_leaves_room_for_one_character(run: Path) -> None:
    assert all(line.startswith("a" * 22) for line in lines(run, "--prompt", "a" * 22))
    message = "the prompt has 23 characters, wanted at most 22, so that one can follow"
    call("sample", run, "--prompt", "a" * 23).assert_refused(message)


def test_length_ends_a_headline(run: Path) -> None:
    whole = lines(run, "--seed=1", "-n=20")
    cut = lines(run, "--seed=1", "-n=20", "--length=5")
    assert max(map(len, cut)) == 5 < max(map(len, whole))
    assert all(line.startswith(begun) for line, begun in zip(whole, cut, strict=True))
    call("sample", run, "--length=24").assert_refused("--length is 24, wanted 1..23")


def test_without_positions_a_headline_can_be_longer_than_in_training(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "--mixer=gru")
    found = lines(run, "-n=50", "--temperature=30", "--length=200", "--seed=0")
    assert max(map(len, found)) > 30
    prompt = "a" * 60
    assert all(x.startswith(prompt) for x in lines(run, "--length=200", "--prompt", prompt))
    call("sample", run, "--length=100001").assert_refused("--length is 100001, wanted 1..100,000")


def test_a_corpus_s_own_alphabet(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("".join(f"\u00c9{line}?\n" for line in LINES), encoding="utf-8")
    out = tmp_path / "out"
    flags = ["--alphabet=corpus", "--max-steps=1", "--quiet"]
    assert call("train", "--data", text, "--out", out, *SMALL, *flags).status == 0
    assert all(line.startswith("\u00c9t?") for line in lines(out, "--prompt", "\u00c9t?"))
    assert any(set(line) & {"\u00c9", "?"} for line in lines(out, "-n=50", "--temperature=1"))


BAD = [
    (["-n=0"], "-n is 0, wanted 1..1,000,000"),
    (["-n=-3"], "-n is -3, wanted 1..1,000,000"),
    (["-n=few"], "argument -n: invalid int value: 'few'"),
    (["--temperature=-1"], r"--temperature is -1\.0, wanted a finite number, 0 or above"),
    (["--temperature=nan"], "--temperature is nan, wanted"),
    (["--temperature=inf"], "--temperature is inf, wanted"),
    (["--temperature=warm"], "argument --temperature: invalid float value: 'warm'"),
    (["--top-k=0"], "--top-k is 0, wanted at least 1"),
    (["--top-k=1.5"], "argument --top-k: invalid int value: '1.5'"),
    (["--top-p=0"], r"--top-p is 0\.0, wanted 0 < --top-p <= 1"),
    (["--top-p=1.01"], r"--top-p is 1\.01, wanted"),
    (["--top-p=nan"], "--top-p is nan, wanted"),
    (["--length=0"], r"--length is 0, wanted 1\.\.23"),
    (["--length=long"], "argument --length: invalid int value: 'long'"),
    (["--seed=-1"], "--seed is -1, wanted 0 or above"),
    (["--seed=x"], "argument --seed: invalid int value: 'x'"),
    (["--threads=0"], "--threads is 0, wanted 1..1,024"),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
]


@pytest.mark.parametrize(("flags", "message"), BAD)
def test_refused(run: Path, flags: list[str], message: str) -> None:
    call("sample", run, *flags).assert_refused(message)


def test_no_run(run: Path, tmp_path: Path) -> None:
    wanted = "wanted a run directory, made by teenygpt_np.train"
    call("sample", tmp_path / "nowhere").assert_refused(f"nowhere is not there; {wanted}")
    call("sample", tmp_path).assert_refused(rf"has no best\.npz; {wanted}")
    call("sample", run / "best.npz").assert_refused(rf"best\.npz is no directory; {wanted}")
    call("sample").assert_refused("the following arguments are required: RUN")


def test_a_damaged_run(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "best.npz").write_bytes((run / "best.npz").read_bytes()[:500])
    call("sample", copy).assert_refused(r"best\.npz is no checkpoint: ")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere pipes break in another way")
def test_a_reader_that_leaves_is_no_error(run: Path) -> None:
    """As `| head -1` does, before all is written: more is written than the 64 KiB a pipe holds."""
    process = start("sample", run, "-n", "9000")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(), process.stderr.read()) == (0, "")
    process.stderr.close()


def test_what_becomes_of_a_prompt_s_unknown_characters_is_told(tmp_path: Path) -> None:
    """An alphabet without a space has none to read them as."""
    text, out = tmp_path / "words.txt", tmp_path / "run"
    text.write_text("".join(f"{a}{b}{a}\n" for a in "abcd" for b in "abcd"), encoding="utf-8")
    flags = [*SMALL, "--batch-size=4", "--alphabet=corpus", "--max-steps=1", "--quiet"]
    assert call("train", "--data", text, "--out", out, *flags).status == 0
    done = call("sample", out, "-n1", "--prompt", "a?b")
    assert done.err == "left out, because the model does not know them: ?\n"
    assert done.out.startswith("ab")
    for prompt in ("a b", "ab "):
        done = call("sample", out, "-n1", "--prompt", prompt)
        assert done.err == "left out, because the model does not know them: spaces\n"
        assert done.out.startswith("ab")
