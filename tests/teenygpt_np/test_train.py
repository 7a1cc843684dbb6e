"""`teenygpt_np.train`: what it prints, refuses and writes; stopping and resuming."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from running import LINES, SIGNALS, SMALL, TEXT, after_step, call, start, tiny_run, write_corpus

from minigrad import kernels
from teenygpt_np import checkpoint
from teenygpt_np.run_directory import load_run
from teenygpt_np.training import loop
from teenygpt_np.training.log import Log


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs; a test that changes it takes a copy."""
    return tiny_run(tmp_path_factory.mktemp("finished"))


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*.*")}


def metrics(out: Path) -> list[dict[str, Any]]:
    text = (out / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


# -- a run -----------------------------------------------------------------------------------------


def test_train_tells_what_it_does(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    done = call("train", "--data", corpus, "--out", out, *SMALL, "--epochs=2", "--num-tokens=21")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "lines.txt: 48 lines to learn from, 6 to validate, 6 to test"
    assert lines[1] == "    60 lines read"
    assert re.fullmatch(r"    \d+ lines are cut to 20 tokens", lines[2])
    model = load_run(out).model
    assert f"preset small: {model.num_parameters():,} parameters, kernels: " in lines[3]
    assert lines[3].endswith(f"run directory {out}")
    assert lines[6].startswith("the validation split, by guessing with ")
    assert [line.split()[0] for line in lines[7:10]] == ["uniform", "unigram", "bigram"]
    epochs = [line for line in lines if re.match(r"epoch \d: ", line)]
    for m, line in zip(metrics(out), epochs, strict=True):
        assert f"epoch {m['epoch']}: train {m['train_nll']:.2f}, val " in line
        assert f"val {m['val_nll_no_pad']:.2f}, top-1 " in line
        assert f"top-1 {m['val_top1_no_pad']:.1%}, " in line
    test = json.loads((out / "test.json").read_text(encoding="utf-8"))
    (line,) = [line for line in lines if line.startswith("test: ")]
    assert line == (
        f"test: {test['test_nll_no_pad']:.2f} nats per line, top-1 "
        f"{test['test_top1_no_pad']:.1%}, by the model of epoch {test['epoch']}"
    )
    ten = lines.index("ten lines it writes:")
    assert lines[ten + 11 :] == [
        "",
        f"how it learned: {out / 'report.html'}",
        f"everything is in {out}; for more:",
        f"    python -m teenygpt_np.sample {out}",
    ]


def test_counting_pads_is_told_as_such(corpus: Path, tmp_path: Path) -> None:
    done = call(
        "train", "--data", corpus, "--out", tmp_path / "a", *SMALL, "--epochs=1", "--pads=count"
    )
    (m,) = metrics(tmp_path / "a")
    assert f"val {m['val_nll']:.2f}, top-1 {m['val_top1']:.1%}, " in done.out


def test_quiet_prints_nothing(corpus: Path, tmp_path: Path) -> None:
    done = call("train", "--data", corpus, "--out", tmp_path / "a", *SMALL, "--epochs=1", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert (tmp_path / "a" / "test.json").exists()


def test_flags_become_settings(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [f"{line},{line[::-1]}" for line in LINES]
    table.write_text("\n".join(["a,b", *rows]), encoding="utf-8")
    wanted = {
        "epochs": 3,
        "max_steps": 1,
        "batch_size": 7,
        "lr": 0.25,
        "patience": 4,
        "seed": 11,
        "num_emb": 6,
        "num_heads": 3,
        "num_neurons": 1,
        "num_blocks": 2,
        "num_tokens": 19,
        "dropout": 0.5,
        "weight_decay": 0.5,
        "clip_grad_norm": 0.75,
        "optimizer": "adamw",
        "alphabet": "corpus",
    }
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in wanted.items()]
    columns = ["--column", "a", "--column", "b"]
    out = tmp_path / "run"
    flags += [*columns, "--preset=tiny", "--pads=count", f"--data={table}", f"--out={out}"]
    assert call("train", *flags, "--quiet").status == 0
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))["config"]
    wanted |= {
        "columns": ["a", "b"],
        "preset": "tiny",
        "ignore_pads": False,
        "data": str(table.resolve()),
    }
    assert {name: config[name] for name in wanted} == wanted


def test_runs_get_directories_of_their_own(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [f"--data={corpus}", *SMALL, "--max-steps=1", "--preset=tiny"]
    for number in (1, 2):
        out = Path("runs") / f"lines-tiny-{number}"
        assert f"run directory {out}\n" in call("train", *flags).out
        assert (out / "test.json").exists()


BAD_FLAGS = [
    (["--epochs=0"], "--epochs is 0, wanted at least 1"),
    (["--epochs=-1"], "--epochs is -1, wanted at least 1"),
    (["--epochs=many"], "argument --epochs: invalid int value: 'many'"),
    (["--epochs=nan"], "argument --epochs: invalid int value: 'nan'"),
    (["--epochs=1.5"], "argument --epochs: invalid int value: '1.5'"),
    (["--lr=0"], r"--lr is 0\.0, wanted a finite number above 0"),
    (["--lr=-1"], r"--lr is -1\.0, wanted"),
    (["--lr=nan"], "--lr is nan, wanted"),
    (["--lr=inf"], "--lr is inf, wanted"),
    (["--lr=fast"], "argument --lr: invalid float value: 'fast'"),
    (["--dropout=1"], r"--dropout is 1\.0, wanted 0 <= dropout < 1"),
    (["--dropout=nan"], "--dropout is nan, wanted"),
    (["--clip-grad-norm=-1"], r"--clip-grad-norm is -1\.0, wanted"),
    (["--clip-grad-norm=inf"], "--clip-grad-norm is inf, wanted"),
    (["--patience=-1"], "--patience is -1, wanted 0 or above"),
    (["--max-steps=-1"], "--max-steps is -1, wanted 0 or above"),
    (["--seed=-1"], "--seed is -1, wanted 0 or above"),
    (["--batch-size=0"], "--batch-size is 0, wanted at least 1"),
    (["--batch-size=49"], r"of lines\.txt has 48 lines, wanted at least 49 for a batch"),
    (["--num-heads=3"], "--num-emb is 8, wanted a multiple of --num-heads, 3"),
    (["--num-heads=0"], "--num-heads is 0, wanted at least 1"),
    (["--num-tokens=1"], "--num-tokens is 1, wanted at least 2"),
    (["--threads=0"], "--threads is 0, wanted 1..1,024"),
    (["--threads=-2"], "--threads is -2, wanted 1..1,024"),
    (["--threads=all"], "argument --threads: invalid int value: 'all'"),
    (["--preset=huge"], "argument --preset: invalid choice: 'huge' .*tiny.*small.*article"),
    (["--pads=maybe"], "argument --pads: invalid choice: 'maybe'"),
    (["--alphabet=latin"], "argument --alphabet: invalid choice: 'latin'"),
    (
        ["--column=title"],
        r"column 'title' is for \.csv, \.tsv, \.jsonl and \.parquet files, and .*lines\.txt",
    ),
    (["--experts=0"], "--experts is 0, wanted at least 1"),
    (["--experts=65"], "--experts is 65, wanted at most 64"),
    (["--active-experts=0"], "--active-experts is 0, wanted at least 1"),
    (["--active-experts=2"], "--active-experts is 2, wanted at most --experts, 1"),
    (["--experts=2", "--active-experts=3"], "--active-experts is 3, wanted at most --experts, 2"),
    (["--mixer=attention,nonsense"], "mixer 'nonsense' in 'attention,nonsense' is not known, want"),
    (
        ["--mixer=gru,rnn,gru", "--num-blocks=2"],
        "mixer 'gru,rnn,gru' is of 3 blocks, wanted at most",
    ),
    (["--mixer=retnet", "--num-heads=8"], "width 8 can't be divided into 8 heads of even width"),
    (["--mixer="], "mixer '' in '' is not known, wanted: attention"),
    (["--nonsense"], "unrecognized arguments: --nonsense; --help lists the arguments"),
    (["--out"], "argument --out: expected one argument"),
    (["--data=nowhere.txt"], r"nowhere\.txt is not there; wanted a directory with train\.txt"),
    (["--resume=nowhere"], "nowhere"),
]


@pytest.mark.parametrize(("flags", "message"), BAD_FLAGS, ids=[" ".join(f) for f, _ in BAD_FLAGS])
def test_train_refuses(corpus: Path, tmp_path: Path, flags: list[str], message: str) -> None:
    out = tmp_path / "run"
    base = [] if "--resume=nowhere" in flags else [f"--data={corpus}", f"--out={out}", *SMALL]
    call("train", *base, *flags).assert_refused(message)
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_preset_are_named_as_flags_too(tmp_path: Path) -> None:
    done = call("train", "--out", tmp_path / "run", "--num-emb=10")
    done.assert_refused("--num-emb is 10, wanted a multiple of --num-heads, 4")


def test_the_bundled_text_has_headlines(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = call("train", "--out", out, *SMALL, "--max-steps=1", "--eval-tokens=900")
    assert done.out.startswith("bundled: 8,664 headlines to learn from, ")
    assert re.search(r"\n +[\d,]+ headlines are cut to 23 tokens\n", done.out)
    assert "nats a headline" in done.out
    assert "nats per headline" in done.out
    assert "ten headlines it writes:\n" in done.out
    assert '"line":"headline"' in (out / "report.html").read_text("utf-8")
    assert "headlines, the test split of bundled" in call("evaluate", out).out


@pytest.mark.parametrize("flag", ["--num-emb", "--num-neurons", "--num-tokens"])
@pytest.mark.parametrize("zeros", [15, 18, 30])
def test_sizes_that_no_memory_holds(corpus: Path, tmp_path: Path, flag: str, zeros: int) -> None:
    done = call(
        "train", "--data", corpus, "--out", tmp_path / "a", *SMALL, f"{flag}=1{zeros * '0'}"
    )
    assert done.status in (1, 2)
    done.assert_refused(".", done.status)


BAD_TEXTS: list[tuple[str, bytes, list[str], str]] = [
    ("a.txt", b"", [], r"a\.txt is empty: 0 lines read; wanted a text"),
    ("a.txt", b"\n\n", ["--alphabet=corpus"], r"a\.txt is empty, or has only line ends; wanted"),
    ("a.txt", b" \t\n", ["--alphabet=corpus"], r"a\.txt: an alphabet needs at least one char"),
    ("a.txt", b"", ["--tokenizer=bpe"], r"a\.txt is empty, or has only line ends; wanted a text"),
    ("a.txt", b"one\ntwo\n", [], r"a\.txt has 2 distinct lines, wanted at least 10"),
    ("a.txt", "één\n".encode("latin-1") * 20, [], r"a\.txt, line 1: byte 0xe9 at offset 0 is"),
    ("a.csv", TEXT.encode(), ["--column=b"], r"a\.csv has no column 'b'; it has 'king wins talks'"),
    ("a.doc", TEXT.encode(), [], r"a\.doc has the suffix '\.doc'; wanted a \.txt"),
]


@pytest.mark.parametrize(("name", "content", "flags", "message"), BAD_TEXTS)
def test_train_refuses_a_text(
    tmp_path: Path, name: str, content: bytes, flags: list[str], message: str
) -> None:
    path, out = tmp_path / name, tmp_path / "run"
    path.write_bytes(content)
    call("train", "--data", path, "--out", out, *SMALL, *flags).assert_refused(message)
    assert not out.exists()


def test_train_refuses_a_directory_that_holds_a_run(corpus: Path, finished: Path) -> None:
    before = contents(finished)
    done = call("train", "--data", corpus, "--out", finished, *SMALL)
    done.assert_refused("run holds a run already; wanted a new --out, or --resume ")
    assert contents(finished) == before


# -- stopping and resuming -------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_the_step_end_and_resume_goes_on(
    corpus: Path,
    finished: Path,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    out = tmp_path / "run"

    def stop() -> None:
        signal.raise_signal(number)
        # A second signal ends the process at once.
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    with after_step(4, stop):
        done = call("train", "--data", corpus, "--out", out, *SMALL, "--epochs=2")
    assert (done.status, done.err) == (128 + number, "")
    assert done.out.splitlines()[-1] == (
        f"stopped after step 4; to continue: python -m teenygpt_np.train --resume {out}"
    )
    assert not (out / "test.json").exists()
    done = call("train", "--resume", out)
    assert (done.status, done.err) == (0, "")
    assert "continuing after step 4, in epoch 1\n" in done.out
    for name in ("best.npz", "last.npz"):
        ours, want = (checkpoint.load(directory / name)[0] for directory in (out, finished))
        assert {k: a.tobytes() for k, a in ours.items()} == {
            k: a.tobytes() for k, a in want.items()
        }
    assert (out / "test.json").read_text(encoding="utf-8") == (finished / "test.json").read_text(
        encoding="utf-8"
    )


def test_ctrl_c_before_the_first_step_ends_at_once(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling may take long, and there is nothing to save."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "warm_up", lambda *_: signal.raise_signal(signal.SIGINT))
        done = call("train", "--data", corpus, "--out", out, *SMALL, "--epochs=1")
    assert (done.status, done.err) == (130, "")
    assert not (out / "last.npz").exists()
    assert call("train", "--resume", out).status == 0


def test_a_reader_who_goes_away_costs_nothing(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if text.startswith("epoch 0: "):
                raise BrokenPipeError
            return super().write(text)

        def fileno(self) -> int:  # of the descriptor that stdout replaces at the end
            return os.open(os.devnull, os.O_WRONLY)

    done = call("train", "--data", corpus, "--out", out, *SMALL, "--epochs=2", out=Gone())
    assert (done.status, done.err) == (0, "")
    assert call("train", "--resume", out).status == 0
    assert len(metrics(out)) == 2


def test_a_score_that_is_no_number_ends_the_run(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ["--max-steps=1", "--lr=1e30"]
    done = call("train", "--data", corpus, "--out", out, *SMALL, *flags, "--quiet")
    done.assert_refused("the validation score at step 1 is nan, first linear gave inf; a smaller ")
    assert not (out / "best.npz").exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows lets few users make links")
def test_data_by_a_link(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(corpus.read_bytes())
    (tmp_path / "mine.txt").symlink_to(tmp_path / "blob")
    done = call(
        "train", "--data", tmp_path / "mine.txt", "--out", tmp_path / "run", *SMALL, "--max-steps=1"
    )
    assert done.out.startswith("mine.txt: 48 lines")


def test_a_backend_that_is_not_there(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_BACKEND", "cuda")
    monkeypatch.setattr(kernels, "_backend", None)  # as at the start of a process
    call("train", "--data", corpus).assert_refused(
        "^teenygpt_np.train: error: backend is 'cuda', wanted"
    )


def test_a_signal_at_the_very_end_loses_nothing(
    corpus: Path,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """During the last validation. There is a test.json, or --resume makes one."""
    out = tmp_path / "run"
    show = Log.epoch

    def stop(self: Log, record: dict[str, Any], *rest: Any) -> None:
        show(self, record, *rest)
        if record["epoch"] == 1:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Log, "epoch", stop)
        call("train", "--data", corpus, "--out", out, *SMALL, "--epochs=2")
    if not (out / "test.json").exists():
        assert call("train", "--resume", out).status == 0
    assert (out / "test.json").read_text(encoding="utf-8") == (finished / "test.json").read_text(
        encoding="utf-8"
    )


@pytest.mark.skipif(os.name != "posix", reason="elsewhere SIGTERM ends a process at once")
def test_a_real_signal_to_a_real_process(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", "--data", corpus, "--out", out, *SMALL, "--epochs=100000")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch 0: "):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    printed, err = process.communicate()
    assert (process.returncode, err) == (128 + signal.SIGTERM, "")
    assert printed.splitlines()[-1].startswith("stopped after step ")
    _, meta = checkpoint.load(out / "last.npz")
    assert not meta["finished"]
    assert f"stopped after step {meta['step']:,};" in printed


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--lr", "1"),
        ("--column", "a"),
        ("--pads", "count"),
        ("--out", "b"),
        ("--preset", "tiny"),
        ("--preset", "small"),
        ("--seed", "0"),
        ("--alphabet", "corpus"),
        ("--num-emb", "8"),
    ],
)
def test_resume_changes_nothing(finished: Path, flag: str, value: str) -> None:
    done = call("train", "--resume", finished, flag, value)
    done.assert_refused(f"error: {flag} can't be changed with --resume, which continues ")


def test_resume_of_a_finished_run(finished: Path) -> None:
    for flags in ([], ["--epochs=2"], ["--epochs=1"]):
        done = call("train", "--resume", finished, *flags)
        done.assert_refused("run is finished, after 2 epochs; nothing to resume")
    done = call("train", "--resume", finished, "--epochs=0")
    done.assert_refused("--epochs is 0, wanted at least 1")


def test_resume_of_another_text(finished: Path, tmp_path: Path) -> None:
    text, out = tmp_path / "lines.txt", tmp_path / "run"
    text.write_text(TEXT, encoding="utf-8")
    call("train", "--data", text, "--out", out, *SMALL, "--max-steps=1")
    text.write_text(TEXT.replace("king", "kong"), encoding="utf-8")
    message = r"last\.npz was trained on another text than lines\.txt is now"
    call("train", "--resume", out).assert_refused(message)
    text.unlink()
    call("train", "--resume", out).assert_refused(r"lines\.txt, the text of .*, is not there; if")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"config": [], "characters": "ab"}',
        '{"config": {"nope": 1}, "characters": "ab"}',
        '{"config": {"lr": "fast"}, "characters": "ab"}',
        '{"config": {}, "characters": "aa"}',
        "[" * 100_000,
    ],
)
def test_resume_of_a_damaged_configuration(finished: Path, tmp_path: Path, text: str) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "config.json").write_text(text, encoding="utf-8")
    call("train", "--resume", out).assert_refused(r"config\.json can't be used: ")


def test_resume_of_damaged_weights(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "last.npz").write_bytes((finished / "last.npz").read_bytes()[:-100])
    call("train", "--resume", out).assert_refused(r"last\.npz is no checkpoint: ")
    (out / "last.npz").unlink()
    call("train", "--resume", out).assert_refused(r"last\.npz is not there; wanted a check")


def test_a_run_killed_in_its_first_epoch_begins_again(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    for name in ("best.npz", "last.npz", "metrics.jsonl", "test.json"):
        (out / name).unlink()
    assert call("train", "--resume", out).status == 0
    assert (out / "test.json").read_bytes() == (finished / "test.json").read_bytes()


def test_a_file_is_no_place_for_a_run(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call("train", "--data", corpus, "--out", tmp_path / "file", *SMALL)
    done.assert_refused(r"file is a file; wanted a new directory")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # it overflows first
def test_a_loss_that_is_no_number(corpus: Path, tmp_path: Path) -> None:
    done = call("train", "--data", corpus, "--out", tmp_path / "run", *SMALL, "--lr=1e30")
    assert done.status == 2
    assert re.search(
        r"error: the loss at step 1 is (nan|inf), first linear gave -?(nan|inf); a smaller --lr "
        r"than 1e\+30 may help; the last good checkpoint is .*last\.npz, after step 0\n$",
        done.err,
    )
