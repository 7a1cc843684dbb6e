"""`finetune --preferences`: begins from its base, resumes, is used, and refuses hostile files."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from preferred import PREFERENCES, write_preferences
from running import after_step, call, left_behind, tiny_run
from trainers import metrics

from teenygpt_np.config import Config
from teenygpt_np.errors import InputError

WAYS = {"all": ["--lr=0.002"], "lora": ["--lora-rank=2", "--lr=0.03"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("base"), "--dropout=0.2")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_preferences(tmp_path_factory.mktemp("file") / "liked.jsonl")


@pytest.mark.parametrize("way", WAYS)
def test_it_learns_resumes_and_is_used(base: Path, file: Path, tmp_path: Path, way: str) -> None:
    flags = ["--preferences", str(file), "--epochs=2", "--beta=0.3", *WAYS[way]]
    done = call("finetune", base, *flags, "--out", tmp_path / "whole")
    assert (done.status, done.err) == (0, "")
    [told] = [line for line in done.out.splitlines() if "the model that it begins from" in line]
    assert told.split()[-2:] == ["0.693", "50.0%"]
    first, last = metrics(tmp_path / "whole")
    assert last["val_dpo_loss"] < first["val_dpo_loss"] < 0.693
    assert last["val_margin"] > first["val_margin"] > 0
    assert last["val_preferred"] > 0.5
    out = tmp_path / "parts"
    with after_step(3, lambda: signal.raise_signal(signal.SIGTERM)):
        assert call("finetune", base, *flags, "--out", out).status == 128 + signal.SIGTERM
    assert call("train", "--resume", out, "--quiet").status == 0
    ours, whole = left_behind(out), left_behind(tmp_path / "whole")
    assert [name for name in whole if ours[name] != whole[name]] == []
    done = call("evaluate", out, "--json")
    assert (done.status, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["model"]["dpo_loss"] == pytest.approx(
        json.loads((out / "test.json").read_text(encoding="utf-8"))["test_dpo_loss"], rel=1e-12
    )
    assert (told["base"]["preferred"], told["base"]["margin"]) == (0.5, 0)
    assert "rejected" in call("evaluate", out, "--data", file).out
    assert call("sample", out, "--prompt=king").out.count("king") == 10
    assert call("inspect", out).status == 0


def test_a_step_of_no_size_leaves_ln_2(base: Path, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ["--preferences", str(file), "--lr=1e-30", "--max-steps=2", "--quiet"]
    assert call("finetune", base, *flags, "--out", out).status == 0
    [epoch] = metrics(out)
    assert epoch["train_nll"] == pytest.approx(0.6931472, rel=1e-5)
    assert (epoch["val_preferred"], epoch["val_margin"]) == (0.5, 0)


def test_going_on_from_it(base: Path, file: Path, tmp_path: Path) -> None:
    """With texts again, or with other preferences, for which it is the base."""
    out, text = tmp_path / "run", base.parent / "lines.txt"
    few = ["--max-steps=2", "--quiet", "--out"]
    assert call("finetune", base, "--preferences", file, *few, out).status == 0
    assert call("finetune", out, "--data", text, *few, tmp_path / "texts").status == 0
    assert "val_nll_no_pad" in metrics(tmp_path / "texts")[0]
    assert call("finetune", out, "--preferences", file, *few, tmp_path / "more").status == 0
    configs = [
        json.loads((run / "config.json").read_text(encoding="utf-8"))["config"]
        for run in (base, out, tmp_path / "more")
    ]
    assert configs[2]["base"] == str(out)
    assert configs[1]["lr"] == configs[0]["lr"] / 40


def test_merged_it_is_a_plain_run(base: Path, file: Path, tmp_path: Path) -> None:
    """Which samples without its base, though its scores still compare with that."""
    out, merged = tmp_path / "run", tmp_path / "merged"
    flags = ["--preferences", str(file), "--lora-rank=1", "--max-steps=2", "--quiet"]
    assert call("finetune", base, *flags, "--out", out).status == 0
    assert call("merge", out, "--out", merged).status == 0
    want, got = (json.loads(call("evaluate", run, "--json").out)["model"] for run in (out, merged))
    assert got == pytest.approx(want, rel=1e-4)
    assert call("sample", merged).status == 0


def test_the_base_is_needed(base: Path, file: Path, tmp_path: Path) -> None:
    own, out = tmp_path / "base", tmp_path / "run"
    shutil.copytree(base, own)
    flags = ["--preferences", str(file), "--max-steps=1", "--quiet"]
    assert call("finetune", own, *flags, "--out", out).status == 0
    shutil.rmtree(own)
    assert call("sample", out).status == 0
    call("evaluate", out).assert_refused("the base of this run.* is not there: wanted it at")


ROW = '{"prompt": "", "chosen": "king wins", "rejected": "it rains"}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "", "chosen": "a"}\n' * 30, "has no key 'rejected'; it has"),
        ('{"chosen": "a", "rejected": "b"}\n' * 30, "has no key 'prompt'; it has"),
        ('{"prompt": "", "chosen": ["a"], "rejected": "b"}\n' * 30, r"'chosen' is \['a'\], wanted"),
        ('{"prompt": "", "chosen": "", "rejected": "b"}\n' * 30, "nothing left of 30 pref.*empty"),
        ('{"prompt": "", "chosen": "B", "rejected": "b"}\n' * 30, "30 with two equal answers"),
        (ROW, "has 1 distinct chosen text in its preferences, wanted at least 10"),
        ("chosen, rejected\n" * 30, "line 1: .*wanted a JSON object in each line"),
        ("[1, 2]\n" * 30, "line 1: a JSON list, wanted an object"),
        ("", "is empty: 0 preferences read; wanted a text"),
    ],
)
def test_hostile_files_leave_nothing_behind(
    base: Path, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    done = call("finetune", base, "--preferences", path, "--out", tmp_path / "run")
    done.assert_refused(message)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--beta=0"], "--beta is 0.0, wanted a finite number above 0"),
        (["--beta=nan"], "--beta is nan, wanted a finite number above 0"),
        (["--dropout=0.1"], "--dropout is 0.1, wanted 0 with preferences"),
        (["--data=x.txt"], "--data can't be given with --preferences"),
        (["--column=a"], "--column can't be given with --preferences"),
        (["--label=a"], "--label can't be given with --preferences"),
        (["--objective=masked"], "--objective can't be given with --preferences"),
        (["--beta=1e300"], r"--beta is 1e\+300, wanted at most 1,000"),
        (["--batch-size=999"], "wanted at least 999 for a batch of 999"),
    ],
)
def test_refused(base: Path, file: Path, tmp_path: Path, flags: list[str], message: str) -> None:
    done = call("finetune", base, "--preferences", file, "--out", tmp_path / "run", *flags)
    done.assert_refused(message)
    assert not (tmp_path / "run").exists()


def test_refused_files_and_bases(base: Path, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for given, message in {
        "-": "--preferences is -, wanted a .jsonl file",
        "none.jsonl": "none.jsonl is not there",
        str(file.parent): "is a directory, wanted a .jsonl of preferences",
    }.items():
        call("finetune", base, "--preferences", given, "--out", out).assert_refused(message)
    call("finetune", base, "--beta=1", "--out", out).assert_refused(
        "--beta is for objective preferences, and"
    )
    done = call("finetune", base, "--preferences", file, "--objective=next", "--out", out)
    done.assert_refused("--objective can't be given with --preferences, which says it already")
    with pytest.raises(InputError, match="wanted a base: by finetune RUN --preferences FILE"):
        Config(text="preferences", objective="preferences")
    (tmp_path / "masked").mkdir()
    encoder = tiny_run(tmp_path / "masked", "--objective=masked", "--max-steps=1")
    done = call("finetune", encoder, "--preferences", file, "--out", out)
    done.assert_refused("is for a model that writes texts, and .* has learned masked")
    assert not out.exists()
    assert len(PREFERENCES) == 60
