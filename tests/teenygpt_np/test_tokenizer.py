"""`teenygpt_np.tokenizer`, and training with the file that it writes."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from running import SMALL, TEXT, call, tiny_run

from teenygpt_np.run_directory import load_run
from teenygpt_np.text.tokenizer_json import read_json, to_json

BPE = ["--tokenizer=bpe", "--vocab-size=280"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("bpe"), *BPE)


def test_out_and_in_again(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = tmp_path / "tokenizer.json", tmp_path / "run"
    done = call("tokenizer", run, "--to", file)
    assert (done.status, done.out, done.err) == (0, f"280 tokens of bytes: {file}\n", "")
    tokenizer = load_run(run).tokenizer
    assert read_json(file, running=False) == tokenizer
    train = ["train", "--tokenizer", file, *SMALL, "--max-steps=1", "--quiet"]
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("king", "queen"), encoding="utf-8")
    assert call(*map(str, train), "--data", other, "--out", out).status == 0
    found = load_run(out)
    assert found.tokenizer == tokenizer
    assert (found.config.tokenizer, found.config.vocab_size) == ("bpe", 280)
    for command in ("evaluate", "sample"):
        assert call(command, out).status == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(other.read_bytes())))
    assert call(*map(str, train), "--data=-", "--out", tmp_path / "piped").status == 0
    assert load_run(tmp_path / "piped").tokenizer == tokenizer


def test_beside_the_run(run: Path) -> None:
    assert call("tokenizer", run).status == 0
    assert (run / "tokenizer.json").read_text("utf-8") == to_json(load_run(run).tokenizer)  # type: ignore[arg-type]
    (run / "tokenizer.json").unlink()


def test_refused(run: Path, tmp_path: Path) -> None:
    call("tokenizer", run, "--to", tmp_path).assert_refused("wanted a file in an existing dir")
    call("tokenizer", run, "--to", tmp_path / "a" / "b").assert_refused("a/b, wanted a file in")
    characters = tiny_run(tmp_path)
    done = call("tokenizer", characters)
    done.assert_refused("run has the tokenizer characters; wanted a run with --tokenizer=bpe")
    assert not (characters / "tokenizer.json").exists()


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        (None, [], r"t\.json is not there; wanted a tokenizer\.json of byte-level BPE"),
        (b"{}", [], r"t\.json: this is no tokenizer\.json of byte-level BPE"),
        (b"\xff", [], r"t\.json: 'utf-8' codec can't decode byte 0xff"),
        (b"", ["--vocab-size=300"], r"--vocab-size is 300, and \S*t\.json has 280 token values"),
        (
            b"",
            ["--alphabet=corpus"],
            "--alphabet is for tokenizer characters, and tokenizer is bpe",
        ),
        (b"", ["--tokenizer=words"], "invalid choice: 'words' .*FILE.json"),
    ],
)
def test_training_refuses_a_file(
    run: Path, tmp_path: Path, content: bytes | None, flags: list[str], message: str
) -> None:
    file, out = tmp_path / "t.json", tmp_path / "run"
    if content is not None:
        file.write_bytes(content or to_json(load_run(run).tokenizer).encode())  # type: ignore[arg-type]
    data = run.parent / "lines.txt"
    done = call("train", "--data", data, "--out", out, *SMALL, "--tokenizer", file, *flags)
    done.assert_refused(message)
    assert not out.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(run: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.json")
    data, out = run.parent / "lines.txt", tmp_path / "run"
    done = call("train", "--data", data, "--out", out, "--tokenizer", tmp_path / "t.json")
    done.assert_refused(r"t\.json is no file; wanted a tokenizer\.json")


def test_it_is_the_file_that_hf_tokenizers_reads(run: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("tokenizers", reason="of the extra `bench`")
    call("tokenizer", run, "--to", tmp_path / "t.json")
    peer = package.Tokenizer.from_file(str(tmp_path / "t.json"))
    line = "king wins talks"
    assert peer.encode(line).ids == load_run(run).tokenizer.encode([line])[0].tolist()
    assert json.loads((tmp_path / "t.json").read_text("utf-8"))["model"]["type"] == "BPE"
