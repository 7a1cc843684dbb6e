"""Direct preference optimization: the loss, its gradient and optimum, what counts, the scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preferred import PREFERENCES, write_preferences

import minigrad as mg
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.batches import ANY
from teenygpt_np.text.bpe import BpeTokenizer
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import load_corpus, read_whole
from teenygpt_np.text.tokenizer import Tokenizer
from teenygpt_np.text.tuples import Preferences
from teenygpt_np.training.objectives.preferences import PreferencesObjective

LETTERS = CharacterTokenizer(" abcdefghijklmnopqrstuvwxyz")
TOKENIZERS = [
    LETTERS,
    CharacterTokenizer("\n abcdefghijklmnopqrstuvwxyz", running=True),
    ByteTokenizer(),
    BpeTokenizer(merges=((97, 98), (32, 256))),
]


def model_of(
    tokenizer: Tokenizer, seed: int = 0, dtype: Any = np.float64, dropout: float = 0.0
) -> TeenyGPT:
    rng = np.random.default_rng(seed)
    return TeenyGPT(24, tokenizer.num_token_vals, 8, 2, 2, dropout, 1, rng=rng, dtype=dtype)


def objective_of(tokenizer: Tokenizer = LETTERS, **changes: Any) -> PreferencesObjective:
    settings: dict[str, Any] = {"text": "preferences", "objective": "preferences"}
    settings |= {"base": "x", "dropout": 0.0}
    return PreferencesObjective(Config(**settings | changes), tokenizer)


def split_of(
    folder: Path, tokenizer: Tokenizer, rows: list[tuple[str, str, str]], width: int = 24
) -> Preferences:
    path = write_preferences(folder / "p.jsonl", rows)
    split, _ = read_whole(path, tokenizer, text="preferences")
    assert isinstance(split, Preferences)
    return split.cut(width)


def by_hand(model: TeenyGPT, tokenizer: Tokenizer, prompt: str, answer: str) -> float:
    """ln p(answer and its end | prompt), token by token."""
    ids = tokenizer.encode_prompt(prompt).tolist()
    total = 0.0
    for token in [*tokenizer.encode([answer])[0].tolist(), tokenizer.end]:
        with mg.no_grad():
            total += model.log_probs(np.array([ids])).data[0, -1, token]
        ids.append(token)
    return float(total)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: f"{t.kind}{t.running:d}")
def test_only_the_answers_count(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """With their ends; in a batch with others of other lengths, and after what `sample` reads."""
    rows = [("", "abab", "b"), ("ab ", "ab", "c d e f"), ("ab", " ab", " b"), ("a b", "c", "cab")]
    split, model = split_of(tmp_path, tokenizer, rows), model_of(tokenizer)
    prepared = objective_of(tokenizer).prepared(model, split)
    assert isinstance(prepared, Preferences)
    want = [[by_hand(model, tokenizer, p, answer) for answer in both] for p, *both in rows]
    np.testing.assert_allclose(prepared.numbers["reference"], want, rtol=1e-12)


def test_the_loss_by_hand(tmp_path: Path) -> None:
    split, model = split_of(tmp_path, LETTERS, PREFERENCES), model_of(LETTERS, 1)
    objective = objective_of(beta=0.3)
    split_ = objective.prepared(model_of(LETTERS), split)
    which = np.array([3, 0, 17])
    loss = objective.loss(model, objective.batch(split_, which, np.random.default_rng(0)))
    losses = []
    for row in which:
        prompt, chosen, rejected = PREFERENCES[row]
        gains = [
            by_hand(model, LETTERS, prompt, a) - by_hand(model_of(LETTERS), LETTERS, prompt, a)
            for a in (chosen, rejected)
        ]
        losses.append(-math.log(1 / (1 + math.exp(-0.3 * (gains[0] - gains[1])))))
    assert loss.minimized.item() == pytest.approx(np.mean(losses), rel=1e-10)
    assert loss.nats == pytest.approx(sum(losses), rel=1e-10)
    assert loss.units == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_base_has_ln_2_and_no_margin(tmp_path: Path, dtype: Any) -> None:
    """Whatever the dropout of its run was: dropout is off."""
    model, objective = model_of(LETTERS, dtype=dtype, dropout=0.5).train(), objective_of()
    split = objective.prepared(model, split_of(tmp_path, LETTERS, PREFERENCES))
    scores = objective.scores(model, split)
    assert (scores["preferred"], scores["margin"]) == (0.5, 0)  # exactly
    assert scores["dpo_loss"] == pytest.approx(math.log(2), rel=1e-15)
    assert objective.baselines(split, split)["base"] == pytest.approx(scores, rel=1e-15)
    batch = objective.batch(split, np.array([5, 2, 9]), np.random.default_rng(0))
    loss = objective.loss(model.eval(), batch)
    assert loss.minimized.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("name", ["logits.0.bias", "transformer_blocks.0.mlp.2.bias"])
def test_the_gradient_against_finite_differences(tmp_path: Path, name: str) -> None:
    model, objective = model_of(LETTERS, 1), objective_of(beta=0.7)
    split = objective.prepared(model_of(LETTERS), split_of(tmp_path, LETTERS, PREFERENCES))
    batch = objective.batch(split, np.arange(4), np.random.default_rng(0))
    parameter = dict(model.named_parameters())[name]
    objective.loss(model, batch).minimized.backward()
    numeric = np.zeros(parameter.shape)
    for i in range(parameter.size):
        ends = []
        for h in (1e-5, -1e-5):
            changed = parameter.numpy()
            changed[i] += h
            model.load_state_dict(model.state_dict() | {name: changed})
            ends.append(objective.loss(model, batch).minimized.item())
            changed[i] -= h
            model.load_state_dict(model.state_dict() | {name: changed})
        numeric[i] = (ends[0] - ends[1]) / 2e-5
    assert parameter.grad is not None
    np.testing.assert_allclose(parameter.grad, numeric, rtol=1e-6, atol=1e-9)


class TwoAnswers:
    """A model that gives one of two tokens after the first, with softmax(scores); then the end."""

    def __init__(self, scores: Any) -> None:
        self.scores = mg.Tensor(np.array(scores, np.float64), requires_grad=True)

    def loss(self, ids: Any, counted: Any, reduction: str) -> mg.Tensor:
        assert reduction == "none"
        assert counted.tolist() == [[False, True, True]] * len(ids)
        return -mg.log_softmax(self.scores)[ids[:, 1:2] - 1]


def test_the_optimum_of_two_answers(tmp_path: Path) -> None:
    """p = p_ref e^(r / beta), normalized, where r is how much one is liked: sigmoid(r) of rows."""
    beta, share = 0.5, 0.7
    rows = [("", "a", "b")] * 7 + [("", "b", "a")] * 3
    tokenizer = CharacterTokenizer("ab")
    objective, split = objective_of(tokenizer, beta=beta), split_of(tmp_path, tokenizer, rows)
    base = TwoAnswers([0.2, -0.4])
    with mg.no_grad():
        p_ref = np.exp(mg.log_softmax(base.scores).data)
        found = split.both(split.in_order)
        reference = -base.loss(*found, reduction="none").sum(axis=1).data.reshape(2, -1).T
    batch = objective.batch(
        split.with_numbers(reference=reference), split.in_order, np.random.default_rng(0)
    )
    r = np.array([math.log(share / (1 - share)), 0.0])
    p = p_ref * np.exp(r / beta)
    p /= p.sum()
    at_optimum, model = TwoAnswers(np.log(p)), TwoAnswers([0.2, -0.4])
    objective.loss(at_optimum, batch).minimized.backward()  # type: ignore[arg-type]
    assert at_optimum.scores.grad is not None
    np.testing.assert_allclose(at_optimum.scores.grad, 0, atol=1e-15)
    for _ in range(500):
        objective.loss(model, batch).minimized.backward()  # type: ignore[arg-type]
        assert model.scores.grad is not None
        model = TwoAnswers(model.scores.data - 8 * model.scores.grad)
    np.testing.assert_allclose(np.exp(mg.log_softmax(model.scores).data), p, rtol=1e-9)


def test_scores_by_hand(tmp_path: Path) -> None:
    split, model = split_of(tmp_path, LETTERS, PREFERENCES), model_of(LETTERS, 1)
    objective = objective_of(beta=2.0)
    prepared = objective.prepared(model_of(LETTERS), split)
    nats = np.array(
        [[-by_hand(model, LETTERS, p, answer) for answer in both] for p, *both in PREFERENCES]
    )
    margins = 2 * ((-nats - prepared.numbers["reference"]) @ [1, -1])  # type: ignore[attr-defined]
    assert objective.scores(model, prepared) == pytest.approx(
        {
            "dpo_loss": np.log(1 + np.exp(-margins)).mean(),
            "preferred": (margins > 0).mean(),
            "margin": margins.mean(),
            "chosen_nats": nats[:, 0].mean(),
            "rejected_nats": nats[:, 1].mean(),
        },
        rel=1e-10,
    )


def test_pads_change_nothing(tmp_path: Path) -> None:
    """A row alone, or among longer ones."""
    rows = [("", "a", "b"), ("c", "dddddddddd", "e"), ("ffffffff", "g", "h")]
    split, model = split_of(tmp_path, LETTERS, rows), model_of(LETTERS)
    objective = objective_of()
    together = objective.prepared(model, split)
    alone = [objective.prepared(model, split.select(np.array([row]))) for row in range(3)]
    want = np.concatenate([one.numbers["reference"] for one in alone])  # type: ignore[attr-defined]
    got = together.numbers["reference"]  # type: ignore[attr-defined]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_answers_that_differ_behind_what_is_read_are_left_out(tmp_path: Path) -> None:
    """Behind a long prompt, or a long beginning that they share; others of that length stay."""
    lost = [("a" * 30, "b", "c"), ("", "d" * 24, "d" * 23 + "e")]
    kept = [
        ("", "d", "e"),
        ("", "d" * 22 + "e", "d" * 30),
        ("", "d" * 30, "ed"),
        ("a" * 22, "b", "c"),
    ]
    whole = split_of(tmp_path, LETTERS, [*lost, *kept], width=ANY)
    assert whole.num_lost(24) == 2
    cut = whole.cut(24)
    assert texts_of(cut) == [((p + c)[:23], (p + r)[:23]) for p, c, r in kept]
    assert (cut.both(cut.in_order).counted.sum(axis=1) > 0).all()
    with pytest.raises(
        InputError, match="no preference has answers that differ among the first 23"
    ):
        whole.select(np.array([0, 1])).cut(24)


def test_texts_of_the_prompts(tmp_path: Path) -> None:
    split = split_of(tmp_path, LETTERS, [("ab ", "c", "d"), ("", "e", "f"), ("a" * 22, "b", "c")])
    rng = np.random.default_rng(0)
    texts = objective_of().write(model_of(LETTERS), split, 7, rng)
    assert len(texts) == 7
    assert [text.startswith("ab ") for text in texts[:3]] == [True] * 3
    assert sum(text.startswith("a" * 22) for text in texts) == 2


# -- reading ---------------------------------------------------------------------------------------


def texts_of(split: Preferences) -> list[tuple[str, str]]:
    return list(zip(split.part(0).texts(), split.part(1).texts(), strict=True))


def test_each_row_is_in_one_split(tmp_path: Path) -> None:
    """All with the same prompt and chosen answer are in the same one; the seed shuffles them."""
    rows = [("", f"{a}{b}", c) for a in "abcdef" for b in "abcde" for c in ("x", "y", "y")]
    path = write_preferences(tmp_path / "p.jsonl", rows)
    settings: dict[str, Any] = {"text": "preferences", "given": LETTERS}
    corpora = [load_corpus(path, seed=seed, **settings) for seed in (0, 0, 1)]
    every: list[list[tuple[str, str]]] = []
    for corpus in corpora:
        found = [split for split in corpus.splits.values() if isinstance(split, Preferences)]
        assert [len(split) for split in found] == [48, 6, 6]
        chosen = [{text for text, _ in texts_of(split)} for split in found]
        assert sum(map(len, chosen)) == len(set.union(*chosen)) == 30
        every.append([pair for split in found for pair in texts_of(split)])
    assert every[0] == every[1] != every[2]
    assert sorted(every[0]) == sorted({(c, r) for _, c, r in rows})
    assert corpora[0].report.duplicates == 30


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    rows = [("A", "b!", "B"), ("", "", "c"), ("", "c", "  "), ("d", "e", "f")]
    path = write_preferences(tmp_path / "p.jsonl", rows)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"prompt": "x", "chosen": null, "rejected": "y"}\n')
    article = CharacterTokenizer.fitted([], running=False, alphabet="article")
    split, report = read_whole(path, article, text="preferences")
    assert isinstance(split, Preferences)
    assert texts_of(split) == [("de", "df")]
    assert (report.read, report.empty, report.missing) == (5, 2, 1)
    assert "1 with two equal answers, dropped" in str(report)


def test_a_large_file_s_ids_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_preferences(tmp_path / "p.jsonl")
    settings: dict[str, Any] = {"text": "preferences", "given": LETTERS, "folder": tmp_path}
    small = load_corpus(path, **settings)
    monkeypatch.setattr("teenygpt_np.text.saved.LARGE", 10)
    for _ in range(2):
        large = load_corpus(path, **settings)
        for name in large.splits:
            split, want = (corpus.rows(name, 24) for corpus in (large, small))
            assert isinstance(split, Preferences)
            assert isinstance(want, Preferences)
            rows = split.in_order
            for got, expected in zip(split.both(rows), want.both(rows), strict=True):
                np.testing.assert_array_equal(got, expected)
    assert len(list(tmp_path.iterdir())) > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": ""}, "objective is preferences, wanted a base: by finetune RUN --preferences"),
        ({"dropout": 0.1}, "dropout is 0.1, wanted 0 with preferences"),
        ({"beta": 0.0}, "beta is 0.0, wanted a finite number above 0"),
        ({"text": "lines"}, "objective is preferences, wanted another one, or text preferences"),
    ],
)
def test_refused_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        objective_of(**changes)
