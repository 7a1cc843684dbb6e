"""`finetune` and `merge`: a run that goes on from another one."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import LINES, SMALL, after_step, call, left_behind, tiny_run
from trainers import metrics

from teenygpt_np import checkpoint
from teenygpt_np.errors import InputError
from teenygpt_np.model.building import build_model
from teenygpt_np.run_directory import load_run, take_base


class Gone(io.StringIO):
    """An output that fails as soon as something is printed."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


WAYS = {
    "all": [],
    "lora": ["--lora-rank=2"],
    "mlp": ["--lora-rank=1", "--lora-on=mlp,q", "--lora-alpha=2"],
    "head": ["--train-only=head"],
}
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("base"), "--dropout=0.2")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "other.txt"
    path.write_text("".join(f"{line[::-1]}\n" for line in LINES), encoding="utf-8")
    return path


def tuned(base: Path, text: Path, out: Path, *flags: str) -> Path:
    done = call("finetune", base, "--data", text, "--out", out, "--epochs=2", "--quiet", *flags)
    assert done.status == 0, done
    return out


def model_arrays(out: Path, name: str = "best.npz") -> dict[str, Any]:
    return {k: a for k, a in checkpoint.load(out / name)[0].items() if k.startswith("model/")}


def score(out: Path, text: Path) -> dict[str, float]:
    done = call("evaluate", out, "--data", text, "--json")
    assert done.status == 0, done
    found: dict[str, float] = json.loads(done.out)["model"]
    return found


@each_way
def test_it_begins_from_the_base_and_gets_better(
    base: Path, text: Path, tmp_path: Path, way: str
) -> None:
    done = call(
        "finetune", base, "--data", text, "--out", tmp_path / "run", "--lr=0.01", *WAYS[way]
    )
    assert (done.status, done.err) == (0, "")
    [told] = [line for line in done.out.splitlines() if "the model that it begins from" in line]
    [val] = {float(told.split()[-2])}
    before, after = metrics(base)[-1], metrics(tmp_path / "run")
    assert val > before["val_nll_no_pad"]  # the text is another
    assert after[-1]["val_nll_no_pad"] < val
    assert f"fine-tuned from {base}" in done.out
    assert score(tmp_path / "run", text)["nll_no_pad"] < score(base, text)["nll_no_pad"]


@pytest.mark.parametrize("objective", ["next", "masked", "joint"])
@each_way
def test_the_run_has_the_scores_that_training_saw(
    base: Path, text: Path, tmp_path: Path, way: str, objective: str
) -> None:
    """Whatever the seed: no weight is drawn that neither the base nor the checkpoint has."""
    out = tuned(base, text, tmp_path / "run", "--seed=5", f"--objective={objective}", *WAYS[way])
    best = min(
        metrics(out),
        key=lambda record: record["val_masked_nats" if objective == "masked" else "val_nll_no_pad"],
    )
    done = call("evaluate", out, "--split=val", "--json")
    for name, value in json.loads(done.out)["model"].items():
        assert value == pytest.approx(best[f"val_{name}"], rel=1e-6)


@each_way
def test_a_step_of_no_size_leaves_the_base(
    base: Path, text: Path, tmp_path: Path, way: str
) -> None:
    out = tuned(base, text, tmp_path / "run", "--lr=1e-30", "--max-steps=1", *WAYS[way])
    assert score(out, text) == score(base, text)


@each_way
def test_its_checkpoint_has_only_what_is_trained(
    base: Path, text: Path, tmp_path: Path, way: str
) -> None:
    names = set(model_arrays(tuned(base, text, tmp_path / "run", *WAYS[way])))
    assert (
        names
        == {
            "all": set(model_arrays(base)),
            "lora": {
                f"model/lora.pairs.transformer_blocks.0.msha.{part}.lora_{x}"
                for part in "qv"
                for x in "AB"
            },
            "mlp": {
                f"model/lora.pairs.transformer_blocks.0.{part}.lora_{x}"
                for part in ("msha.q", "mlp.0.weight", "mlp.2.weight")
                for x in "AB"
            },
            "head": {"model/logits.0.weight", "model/logits.0.bias"},
        }[way]
    )


@each_way
def test_it_is_resumed_to_the_bit(base: Path, text: Path, tmp_path: Path, way: str) -> None:
    tuned(base, text, tmp_path / "whole", *WAYS[way])
    out = tmp_path / "parts"
    with after_step(4, lambda: signal.raise_signal(signal.SIGTERM)):
        done = call("finetune", base, "--data", text, "--out", out, "--epochs=2", *WAYS[way])
    assert done.status == 128 + signal.SIGTERM
    assert call("train", "--resume", out, "--quiet").status == 0
    ours, whole = left_behind(out), left_behind(tmp_path / "whole")
    assert [name for name in whole if ours[name] != whole[name]] == []


@each_way
def test_all_commands_take_it(base: Path, text: Path, tmp_path: Path, way: str) -> None:
    out = tuned(base, text, tmp_path / "run", *WAYS[way])
    for command in ("evaluate", "sample", "inspect"):
        done = call(command, out)
        assert (done.status, done.err) == (0, "")
    again = call("finetune", out, "--data", text, "--out", tmp_path / "more", "--quiet")
    assert (again.status, again.err) == (0, "")


@pytest.mark.parametrize("way", ["lora", "mlp", "head"])
def test_merged_it_needs_no_base(base: Path, text: Path, tmp_path: Path, way: str) -> None:
    own = tmp_path / "base"
    shutil.copytree(base, own)
    out = tuned(own, text, tmp_path / "run", *WAYS[way])
    want, merged = score(out, text), tmp_path / "merged"
    done = call("merge", out, "--out", merged)
    assert (done.status, done.err) == (0, "")
    shutil.rmtree(own)
    assert score(merged, text) == pytest.approx(want, rel=1e-5)
    assert model_arrays(merged).keys() == model_arrays(base).keys()
    for command in ("sample", "inspect"):
        assert call(command, merged).status == 0
    call("evaluate", out).assert_refused("the base of this run.* is not there: wanted it at")
    call("merge", merged, "--out", tmp_path / "twice").assert_refused("is a plain run already")
    assert not (tmp_path / "twice").exists()


def test_another_base_is_refused(base: Path, text: Path, tmp_path: Path) -> None:
    own = tmp_path / "base"
    shutil.copytree(base, own)
    out = tuned(own, text, tmp_path / "run", "--lora-rank=1")
    shutil.rmtree(own)
    assert call("train", "--out", own, *_flags_of(base), "--quiet", "--seed=1").status == 0
    for command in ("evaluate", "sample", "inspect", "finetune"):
        call(command, out).assert_refused("base is not the run that the fine-tuning began from")


def test_a_decoder_becomes_an_encoder(base: Path, text: Path, tmp_path: Path) -> None:
    """Its embedding gets a row for the mask, and keeps the others."""
    out = tuned(base, text, tmp_path / "run", "--objective=masked", "--lr=1e-30", "--max-steps=1")
    before, after = model_arrays(base), model_arrays(out)
    assert before.keys() == after.keys()
    embedding = after.pop("model/embedding.weight")
    known = before.pop("model/embedding.weight")
    assert (embedding[:-1] == known).all()
    assert embedding[-1] == pytest.approx(known.mean(axis=0))
    assert all((after[name] == array).all() for name, array in before.items())
    assert call("sample", out, "--prompt=ki_g", "-n=1").status == 0
    again = tuned(out, text, tmp_path / "again", "--objective=next", "--max-steps=1")
    assert call("sample", again, "-n=1").status == 0


def test_a_rank_as_large_as_a_wide_model(text: Path, tmp_path: Path) -> None:
    """The model that kernels are compiled with is smaller."""
    base = tiny_run(tmp_path, "--num-emb=40", "--max-steps=1")
    tuned(base, text, tmp_path / "tuned", "--lora-rank=40", "--max-steps=1")


def test_a_base_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    """A classifier of a decoder's blocks cannot be made of an encoder and a decoder."""
    pairs, labels = tmp_path / "pairs.tsv", tmp_path / "labels.tsv"
    pairs.write_text("".join(f"{line}\t{line[::-1]}\n" for line in LINES), encoding="utf-8")
    rows = [f"{line}\t{line.split()[1]}\n" for line in LINES]
    labels.write_text("".join(["text\tlabel\n", *rows]), encoding="utf-8")
    run = tmp_path / "pairs"
    assert (
        call("train", f"--pairs={pairs}", "--out", run, *SMALL, "--epochs=1", "--quiet").status == 0
    )
    done = call("finetune", run, f"--data={labels}", "--column=text", "--label=label")
    done.assert_refused("--label is for a model of single texts, and .*pairs has learned pairs")
    base = load_run(run)
    config = dataclasses.replace(base.config, text="lines", objective="next")
    model = build_model(config, base.tokenizer.num_token_vals, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"has .* as transformer_blocks.*, its base none"):
        take_base(model, base.model)


def _flags_of(run: Path) -> list[str]:
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))["config"]
    sizes = [f"--{k.replace('_', '-')}={v}" for k, v in config.items() if k.startswith("num_")]
    return [*sizes, f"--data={config['data']}", "--batch-size=16", "--epochs=2"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--lora-rank=-1"], r"--lora-rank is -1, wanted 0 or above"),
        (["--lora-rank=2", "--lora-on=queries"], "--lora-on is 'queries', and"),
        (
            ["--lora-rank=2", "--lora-alpha=0"],
            r"--lora-alpha is 0\.0, wanted a finite",
        ),
        (["--lora-rank=9"], "--lora-rank is 9, wanted at most --num-emb, 8"),
        (["--lora-rank=2", "--train-only=head"], "--train-only is head, wanted all with lora_rank"),
        (["--lora-alpha=2"], "--lora-alpha is for lora_rank above 0, and lora_rank is 0"),
        (["--lora-on=q"], "--lora-on is for lora_rank above 0, and lora_rank is 0"),
        (["--mask-share=0.3"], "--mask-share is for objective masked or joint, and objective is"),
        (["--objective=pairs"], "argument --objective: invalid choice: 'pairs'"),
        (["--num-emb=9"], "unrecognized arguments: --num-emb=9"),
        (["--data=missing.txt"], "missing.txt is not there"),
        (["--objective=nonsense"], "invalid choice: 'nonsense'"),
    ],
)
def test_what_cannot_be_tuned_is_refused(
    base: Path, tmp_path: Path, flags: list[str], message: str
) -> None:
    call("finetune", base, "--out", tmp_path / "run", *flags).assert_refused(message)
    assert not (tmp_path / "run").exists()
    call("finetune", tmp_path, "--out", tmp_path / "run").assert_refused("has no best.npz")


def test_an_output_that_fails_at_once(base: Path, text: Path, tmp_path: Path) -> None:
    """Before the base is scored; a checkpoint is there all the same."""
    done = call(
        "finetune", base, "--data", text, "--out", tmp_path / "run", "--epochs=1", out=Gone()
    )
    assert done.status == 1
    assert done.err == "teenygpt_np.finetune: error: output: No space left on device\n"
    assert (tmp_path / "run" / "last.npz").exists()
