"""Training: the files of a run, when it stops, and that resuming changes nothing."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows import counted, texts
from running import left_behind
from trainers import (
    TINY,
    Array,
    gradients,
    load,
    make,
    metrics,
    padded,
    resumed,
    rows,
    run,
    trained,
)

from teenygpt_np import checkpoint, run_directory
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.building import with_positions
from teenygpt_np.scores import scores
from teenygpt_np.text.batches import Rows
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import Corpus
from teenygpt_np.training.console import Console
from teenygpt_np.training.loop import Trainer
from teenygpt_np.training.objectives import next_token

KEYS = [
    "epoch",
    "step",
    "train_nll",
    "val_nll",
    "val_nll_no_pad",
    "val_top1",
    "val_top1_no_pad",
    "val_nats_per_character",
    "val_bits_per_byte",
    "grad_norm",
    "grad_norms",
    "update_ratios",
    "tokens_per_s",
    "seconds",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(tmp_path_factory.mktemp("corpus"))


class Hooks(Console):
    """Prints nothing; calls `at` after each step and at each line that would be printed."""

    def __init__(self, at: Callable[[str], None]) -> None:
        super().__init__(io.StringIO(), quiet=True)
        self.at = at

    def line(self, text: str = "") -> None:
        self.at(text)

    def update(self, *_: Any, **__: Any) -> None:
        self.at("a step")


# -- the run directory -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "finished"
    trained(corpus, out)
    return out


def test_the_run_directory(finished: Path, corpus: Corpus) -> None:
    names = sorted(str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file())
    assert names[:4] == ["best.npz", "config.json", "last.npz", "metrics.jsonl"]
    assert names[4] == "report.html"
    assert all(name.startswith("samples") for name in names[5:-1])
    assert names[-1] == "test.json"
    description = json.loads((finished / "config.json").read_text(encoding="utf-8"))
    assert Config.from_dict(description["config"]) == with_positions(TINY)
    assert isinstance(corpus.tokenizer, CharacterTokenizer)
    assert description["tokenizer"]["characters"] == corpus.tokenizer.characters
    assert description["parameters"] == run_directory.load_run(finished).model.num_parameters()


def test_a_line_of_metrics_per_epoch(finished: Path, corpus: Corpus) -> None:
    found = metrics(finished)
    assert [list(m) for m in found] == [KEYS] * 3
    assert [(m["epoch"], m["step"]) for m in found] == [(0, 3), (1, 6), (2, 9)]
    for m in found:
        assert m["val_nll"] > m["val_nll_no_pad"] > 0
        assert 0 <= m["val_top1"] <= 1
        tokens = sum(len(line) + 1 for line in texts(corpus, "train"))  # and the pad that ends each
        assert m["tokens_per_s"] * m["seconds"] == pytest.approx(tokens)


def test_64_headlines_at_each_new_best(finished: Path) -> None:
    values = [m["val_nll_no_pad"] for m in metrics(finished)]
    bests = [i for i, v in enumerate(values) if v < min(values[:i], default=np.inf)]
    files = sorted((finished / "samples").iterdir())
    assert [f.name for f in files] == [f"epoch_{i:03}.txt" for i in bests]
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") == 64
        assert text.endswith("\n")
        assert set(text) <= set(" abcdefghijklmnopqrstuvwxyz\n")


def test_best_last_and_test_hold_the_scores_that_are_told(finished: Path, corpus: Corpus) -> None:
    found = metrics(finished)
    last = run_directory.load_run(finished, "last.npz")
    for name, value in scores(last.model, rows(corpus, "val")).items():
        assert found[-1][f"val_{name}"] == value, name
    best = run_directory.load_run(finished)
    epoch = min(range(3), key=lambda i: found[i]["val_nll_no_pad"])
    for name, value in scores(best.model, rows(corpus, "val")).items():
        assert found[epoch][f"val_{name}"] == value, name
    test = json.loads((finished / "test.json").read_text(encoding="utf-8"))
    want = {f"test_{k}": v for k, v in scores(best.model, rows(corpus, "test")).items()}
    assert test == {"epoch": epoch, **want}
    assert not best.model.training


def test_nothing_is_kept_in_float64(finished: Path) -> None:
    arrays, _ = checkpoint.load(finished / "last.npz")
    assert {a.dtype for name, a in arrays.items() if "/steps/" not in name} == {np.dtype("f4")}
    assert {name.split("/")[0] for name in arrays} == {"model", "adamw", "muon"}


def test_the_truth_is_told_where_it_is_known(corpus: Corpus, tmp_path: Path) -> None:
    known = dataclasses.replace(corpus, truth={"train": 1.0, "val": 2.0, "test": 3.0})
    trained(known, tmp_path / "a", epochs=1)
    test = json.loads((tmp_path / "a" / "test.json").read_text(encoding="utf-8"))
    assert test["truth_nll"] == 3


# -- learning --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignore_pads", [True, False])
def test_loss_falls(corpus: Corpus, tmp_path: Path, ignore_pads: bool) -> None:
    trained(corpus, tmp_path / "a", epochs=8, ignore_pads=ignore_pads)
    found = metrics(tmp_path / "a")
    for name in ("train_nll", "val_nll_no_pad" if ignore_pads else "val_nll"):
        values = [m[name] for m in found]
        assert values[-1] < 0.9 * values[0], name  # a tenth is far more than batches differ by


@pytest.mark.parametrize("ignore_pads", [True, False])
def test_train_nll_is_the_mean_over_headlines(
    corpus: Corpus, tmp_path: Path, ignore_pads: bool
) -> None:
    """Batches of 20, 20 and 8, weighted by size; the learning rate is too small to change a bit."""
    made = trained(
        corpus, tmp_path / "a", lr=1e-30, dropout=0.0, batch_size=20, ignore_pads=ignore_pads
    )
    ids = padded(corpus, "train")
    want = made.model.loss(ids, counted(ids) if ignore_pads else None).item()
    for m in metrics(tmp_path / "a"):
        np.testing.assert_allclose(m["train_nll"], want, rtol=1e-6)  # sums in float32


@pytest.mark.parametrize("ignore_pads", [True, False])
def test_an_epoch_has_every_headline_once(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignore_pads: bool
) -> None:
    made = make(corpus, ignore_pads=ignore_pads, epochs=2)
    seen: list[Array] = []
    loss = made.model.loss

    def spy(x: Array, which: Array, **given: Any) -> Any:
        seen.append(x)
        np.testing.assert_array_equal(which[:, 1:], counted(x)[:, 1:] if ignore_pads else True)
        return loss(x, which, **given)

    monkeypatch.setattr(made.model, "loss", spy)
    run(made, tmp_path / "a")
    assert len(seen) == 6
    train = sorted(texts(corpus, "train"))
    decode = corpus.tokenizer.decode
    for epoch in (seen[:3], seen[3:]):
        assert sorted(decode(row) for x in epoch for row in x) == train
    assert [x.tolist() for x in seen[:3]] != [x.tolist() for x in seen[3:]]
    for x in seen:  # trimmed to the longest, where pads don't count
        assert x.shape == (16, counted(x).sum(axis=1).max() if ignore_pads else 24)


def test_gradients_are_clipped_and_decay_reaches_the_optimizer(
    corpus: Corpus, tmp_path: Path
) -> None:
    def norm(made: Trainer) -> float:
        return float(np.sqrt(sum(np.square(grad).sum() for grad in gradients(made))))

    made = trained(corpus, tmp_path / "a", clip_grad_norm=0.5, weight_decay=0.125, max_steps=1)
    assert norm(made) == pytest.approx(0.5, rel=1e-5)  # scaled in float32
    assert [o.weight_decay for o in made.optimizers.values()] == [0.125] * 2  # type: ignore[attr-defined]
    assert norm(trained(corpus, tmp_path / "b", clip_grad_norm=0.0, max_steps=1)) > 1


def test_the_learning_rate_rises_and_falls(corpus: Corpus, tmp_path: Path) -> None:
    made = make(corpus, warmup_steps=3, lr=1.0, epochs=10)
    rates = [made.schedule(step) for step in range(31)]
    assert rates[0] == pytest.approx(1 / 3)
    assert max(rates) == rates[2]
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[15] == pytest.approx(1 / 2)  # half-way down the cosine
    assert rates[30] == pytest.approx(0)
    flat = make(corpus, warmup_steps=0, decay=False, lr=0.5)
    assert {flat.schedule(step) for step in range(9)} == {0.5}
    used = trained(corpus, tmp_path / "c", epochs=1)
    assert [o.lr for o in used.optimizers.values()] == [used.schedule(2)] * 2


def test_muon_changes_the_matrices_of_the_blocks(corpus: Corpus, tmp_path: Path) -> None:
    made = make(corpus)
    muon, adamw = made.optimizers["muon"].params, made.optimizers["adamw"].params
    names = {id(param): name for name, param in made.model.named_parameters()}
    kinds = {re.sub(r"\.\d\.", ".", names[id(param)], count=1) for param in muon}
    matrices = {"msha.in_proj_weight", "msha.out_proj.weight", "mlp.0.weight", "mlp.2.weight"}
    assert kinds == {f"transformer_blocks.{name}" for name in matrices}
    assert {id(param) for param in [*muon, *adamw]} == names.keys()
    assert len(muon) + len(adamw) == len(names)
    alone = make(corpus, optimizer="adamw").optimizers
    assert list(alone) == ["adamw"]
    assert len(alone["adamw"].params) == len(names)


def test_headlines_that_are_sampled_do_not_disturb_the_training(
    corpus: Corpus, tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(corpus)
    monkeypatch.setattr(made.objective, "samples", (3, 1, 1))
    run(made, tmp_path / "a")
    ours, _ = checkpoint.load(tmp_path / "a" / "last.npz")
    theirs, _ = checkpoint.load(finished / "last.npz")
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"dropout": 0.2}])
def test_the_seed_and_dropout_make_a_difference(
    corpus: Corpus, tmp_path: Path, finished: Path, changes: dict[str, Any]
) -> None:
    trained(corpus, tmp_path / "a", **changes)
    assert metrics(tmp_path / "a")[0]["train_nll"] != metrics(finished)[0]["train_nll"]


# -- when it stops ---------------------------------------------------------------------------------


def scripted(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Make validations give these values as nll_no_pad, and their negatives as nll."""
    script: Iterator[float] = iter(values)

    def fake(model: Any, rows: Any, *_: Any, **settings: Any) -> dict[str, float]:
        if (value := next(script, None)) is None:
            return scores(model, rows)
        return {"nll": -value, "nll_no_pad": value, "top1": 0.0, "top1_no_pad": 0.0}

    monkeypatch.setattr(next_token, "scores", fake)


@pytest.mark.parametrize(
    ("patience", "values", "epochs", "best"),
    [
        (2, [5, 4, 6, 4, 3, 7, 7, 3], 8, 4),  # the third in a row; an equal score is no new best
        (0, [5, 4, 4], 3, 1),
        (1, [5, 6, 4, 6, 3, 2, 1], 7, 6),
    ],
)
def test_patience(
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    patience: int,
    values: list[float],
    epochs: int,
    best: int,
) -> None:
    scripted(monkeypatch, values)
    trained(corpus, tmp_path / "a", patience=patience, epochs=len(values))
    assert len(metrics(tmp_path / "a")) == epochs
    assert json.loads((tmp_path / "a" / "test.json").read_text(encoding="utf-8"))["epoch"] == best


@pytest.mark.parametrize(("ignore_pads", "best"), [(True, 2), (False, 1)])
def test_what_is_trained_for_decides(
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ignore_pads: bool,
    best: int,
) -> None:
    scripted(monkeypatch, [5, 6, 4])
    trained(corpus, tmp_path / "a", ignore_pads=ignore_pads)
    assert json.loads((tmp_path / "a" / "test.json").read_text(encoding="utf-8"))["epoch"] == best


@pytest.mark.parametrize(("limit", "steps"), [(1, [1]), (3, [3]), (4, [3, 4]), (99, [3, 6, 9])])
def test_max_steps(corpus: Corpus, tmp_path: Path, limit: int, steps: list[int]) -> None:
    trained(corpus, tmp_path / "a", max_steps=limit)
    assert [m["step"] for m in metrics(tmp_path / "a")] == steps
    assert (tmp_path / "a" / "test.json").exists()


# -- resuming --------------------------------------------------------------------------------------


def stop_at(made: Trainer, when: Callable[[str], bool]) -> None:
    def at(text: str) -> None:
        if when(text):
            made.stop_signal = 15

    made.log.console = Hooks(at)


@pytest.mark.parametrize("ignore_pads", [True, False])
@pytest.mark.parametrize("steps", [[1], [3], [4], [8], [2, 3, 6, 7]])
def test_going_on_gives_the_same_bits(
    corpus: Corpus, tmp_path: Path, ignore_pads: bool, steps: list[int]
) -> None:
    trained(corpus, tmp_path / "whole", ignore_pads=ignore_pads, dropout=0.2)
    made = make(corpus, ignore_pads=ignore_pads, dropout=0.2)
    for step in steps:
        stop_at(made, lambda text, made=made, step=step: made.place.step == step)  # type: ignore[misc]
        run(made, tmp_path / "parts")
        assert (made.place.step, made.place.finished) == (step, False)
        assert not (tmp_path / "parts" / "test.json").exists()
        made = resumed(corpus, tmp_path / "parts", ignore_pads=ignore_pads, dropout=0.2)
        assert made.place.step == step
    run(made, tmp_path / "parts")
    ours, want = left_behind(tmp_path / "parts"), left_behind(tmp_path / "whole")
    assert ours.keys() == want.keys()
    assert [name for name in want if ours[name] != want[name]] == []


@pytest.mark.parametrize("limit", [2, 6, 8])
def test_an_epoch_that_max_steps_ended_is_scored_on_going_on(
    corpus: Corpus, tmp_path: Path, limit: int
) -> None:
    """The signal comes at the last step, so it is heeded before the scoring."""
    trained(corpus, tmp_path / "whole", max_steps=limit)
    made = make(corpus, max_steps=limit)
    stop_at(made, lambda text: made.place.step == limit)
    assert run(made, tmp_path / "parts") == 15
    run(resumed(corpus, tmp_path / "parts", max_steps=limit), tmp_path / "parts")
    ours, want = left_behind(tmp_path / "parts"), left_behind(tmp_path / "whole")
    assert [name for name in want if ours[name] != want[name]] == []


def test_going_on_from_before_the_first_step(corpus: Corpus, tmp_path: Path) -> None:
    trained(corpus, tmp_path / "whole")
    made = make(corpus)
    made.stop_signal = 2
    run(made, tmp_path / "parts")
    assert made.place.step == 0
    run(resumed(corpus, tmp_path / "parts"), tmp_path / "parts")
    assert left_behind(tmp_path / "parts") == left_behind(tmp_path / "whole")


@pytest.mark.parametrize("name", ["last.npz", "best.npz"])
def test_going_on_after_a_failure_between_the_files_of_an_epoch(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As on a full disk or after a power cut: the epoch is done again, and recorded once."""
    trained(corpus, tmp_path / "whole")
    made = make(corpus)
    save = checkpoint.save

    def fail(path: Path, *args: Any) -> None:
        if path.name == name and made.place.step == 6:
            raise OSError(28, "No space left on device", str(path))
        save(path, *args)

    monkeypatch.setattr(checkpoint, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        run(made, tmp_path / "parts")
    monkeypatch.setattr(checkpoint, "save", save)
    run(resumed(corpus, tmp_path / "parts"), tmp_path / "parts")
    assert left_behind(tmp_path / "parts") == left_behind(tmp_path / "whole")


def test_another_text_is_no_way_to_go_on(corpus: Corpus, tmp_path: Path) -> None:
    trained(corpus, tmp_path / "a", max_steps=1)
    for split in ("train", "val", "test"):
        lines = texts(corpus, split)
        changed = Rows.of([*lines[:-1], lines[-1] + "s"], corpus.tokenizer, 24)
        other = dataclasses.replace(corpus, splits={**corpus.splits, split: changed})
        with pytest.raises(InputError, match=r"last\.npz was trained on another text than lines"):
            resumed(other, tmp_path / "a", max_steps=1)
    resumed(corpus, tmp_path / "a", max_steps=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a, m: a.pop("model/logits.0.bias"),
            r"has none as model/logits\.0\.bias, wanted fl",
        ),
        (
            lambda a, m: a.update({"model/logits.0.bias": np.zeros(3)}),
            r"has float64\(3,\) as model",
        ),
        (lambda a, m: a.update({"model/more": np.zeros(3)}), r"\(3,\) as model/more, wanted none"),
        (lambda a, m: a.pop("adamw/v/0"), "has none as adamw/v/0, wanted float32"),
        (lambda a, m: a.update({"adamw/m/0": np.zeros(3)}), r"as adamw/m/0, wanted float32\(29, 8"),
        (lambda a, m: a.pop("adamw/steps/0"), "has none as adamw/steps/0"),
        (lambda a, m: a.update({"adamw/steps/0": np.array(-1)}), "has -1 as adamw/steps/0"),
        (lambda a, m: a.update({"muon/m/0": a["muon/m/0"] * np.nan}), "NaN or infinity in muon/m"),
        (lambda a, m: m["rngs"].pop("model"), "is no checkpoint of a run: 'model'"),
        (lambda a, m: m["rngs"].update(model={}), "is no checkpoint of a run: "),
        (lambda a, m: m.pop("order_state"), "is no checkpoint of a run: 'order_state'"),
        (lambda a, m: m.pop("best"), "is no checkpoint of a run: 'best'"),
        (lambda a, m: m.update(best={}), "is no checkpoint of a run: 'val_nll_no_pad'"),
        (lambda a, m: m.update(epoch=True), "is no checkpoint of a run: .* are "),
        (lambda a, m: m.update(step=10**400), "is no checkpoint of a run: .* are "),
        (lambda a, m: m.update(epoch_loss=float("nan")), "its figures are not finite"),
        (lambda a, m: m.pop("layers"), "is no checkpoint of a run: 'layers'"),
        (lambda a, m: m.update(layers=[]), "is no checkpoint of a run: "),
        (lambda a, m: m["layers"].update(grad_norms=[]), "is no checkpoint of a run: "),
        (
            lambda a, m: m["layers"]["update_ratios"].update(embedding=float("nan")),
            "its figures are not finite",
        ),
        (lambda a, m: m["config"].update(lr=0.5), r"has lr 0\.5, wanted 0\.01 as in config\.json$"),
        (lambda a, m: m["tokenizer"].update(characters="ab"), r"has float32\(29, 8\) as "),
        (
            lambda a, m: m["tokenizer"].update(characters=m["tokenizer"]["characters"][::-1]),
            r"another alphabet than config\.json has",
        ),
        (lambda a, m: m["tokenizer"].update(kind="words"), "tokenizer is 'words', wanted one of "),
        (lambda a, m: m.update(format=3), r"it is of format 3, wanted 1\.\.2; a newer teenygpt_np"),
        (lambda a, m: m["config"].update(num_emb=80), r"has .* as model/.*, wanted float32\("),
        (lambda a, m: m["config"].update(num_blocks=99), "has none as model/.*, wanted float32"),
        (lambda a, m: m["versions"].pop("numpy"), "is no checkpoint of a run: 'numpy'"),
    ],
)
def test_a_checkpoint_of_something_else(
    corpus: Corpus,
    tmp_path: Path,
    change: Callable[[dict[str, Array], dict[str, Any]], Any],
    message: str,
) -> None:
    trained(corpus, tmp_path / "a", max_steps=1)
    path = tmp_path / "a" / "last.npz"
    arrays, meta = checkpoint.load(path)
    change(arrays, meta)
    checkpoint.save(path, arrays, meta)
    with pytest.raises(InputError, match=rf"last\.npz .*{message}|last\.npz {message}"):
        resumed(corpus, tmp_path / "a", max_steps=1)


def test_no_checkpoint_to_go_on_from(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"last\.npz is not there; wanted a checkpoint"):
        resumed(corpus, tmp_path / "nowhere")


# -- what is refused -------------------------------------------------------------------------------


def test_a_directory_holds_one_run(finished: Path, corpus: Corpus) -> None:
    before = left_behind(finished)
    with pytest.raises(InputError, match="holds a run already; wanted a new --out, or --resume"):
        run_directory.begin(finished, {})
    assert left_behind(finished) == before


def test_a_batch_is_no_more_than_the_training_split(corpus: Corpus, tmp_path: Path) -> None:
    make(corpus, batch_size=48)
    with pytest.raises(InputError, match="has 48 lines, wanted at least 49 for a batch of 49"):
        make(corpus, batch_size=49)
