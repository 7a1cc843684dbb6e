"""Preferences: direct preference optimization (DPO) of a model that writes texts already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.ranks import Map, alone
from teenygpt_np.text.batches import Split, in_batches
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.text.tuples import Preferences
from teenygpt_np.training.objectives.objective import Loss, Objective


class PreferenceBatch(NamedTuple):
    """B chosen texts, then the B rejected ones.

    ids: (2 B, t).    counted: (2 B, t) bool, the tokens of the answers
    reference: (2 B), ln p of each answer by the base
    """

    ids: Ids
    counted: npt.NDArray[np.bool_]
    reference: Array


class PreferencesObjective(Objective):
    """-ln sigmoid(m), m = beta (ln p / p_ref (chosen) - ln p / p_ref (rejected)), in nats.

    ln p is summed over the tokens of an answer and its end, given its prompt. p_ref is the base,
    whose ln p of all rows are computed once, by `prepared`. A loss is averaged over preferences.

    Source: Rafailov et al., Direct Preference Optimization, 2023, equation 7, arXiv:2305.18290.
    """

    score, top1, top1_said, unit, digits = "dpo_loss", "preferred", "preferred", "preference", 3
    of_text, refers = False, True
    written = "ten texts that it writes from prompts of the validation split"

    def trial(self, num_tokens: int) -> Split:
        """Two rows of num_tokens tokens, which differ."""
        lengths = np.full(4, num_tokens)
        ids = np.repeat([0, 1, 0, 1], lengths).astype(self.tokenizer.dtype)
        split = Preferences.of_ids(ids, lengths, 2, self.tokenizer).cut(num_tokens)
        return split.with_numbers(
            prompt=np.ones(2, np.uint32), reference=np.zeros((2, 2), np.float32)
        )

    def prepared(self, base: TeenyGPT, split: Split, each: Map = alone) -> Split:
        """The split with numbers["reference"], (N, 2): the base's ln p of both answers."""
        assert isinstance(split, Preferences)
        return split.with_numbers(reference=_all_log_probs(base, split, split.in_order, each))

    def batch(self, split: Split, rows: Ids, rng: np.random.Generator) -> PreferenceBatch:
        """The batch of these rows."""
        assert isinstance(split, Preferences)
        return PreferenceBatch(*split.both(rows), split.numbers["reference"][rows].T.reshape(-1))

    def loss(self, model: TeenyGPT, batch: PreferenceBatch) -> Loss:
        """The loss of a batch, per preference."""
        ratios = answer_log_probs(model, batch.ids, batch.counted) - batch.reference
        B = len(batch.ids) // 2
        margins = self.config.beta * (ratios[:B] - ratios[B:])
        loss = mg.softplus(-margins).mean()
        return Loss(loss, loss.item() * B, B)

    def scores(self, model: TeenyGPT, split: Split, each: Map = alone) -> dict[str, float]:
        """Of the preferences: the mean loss, the share with m above 0, and the mean of m.

        A preference with m = 0, as all have before the first step, counts half. chosen_nats and
        rejected_nats: -ln p of the answers, on average.
        """
        assert isinstance(split, Preferences)
        which = split.evenly(self.config.eval_tokens)
        log_probs = _all_log_probs(model, split, which, each)
        ratios = (log_probs - split.numbers["reference"][which]).astype(np.float64)
        margins = self.config.beta * (ratios[:, 0] - ratios[:, 1])
        return {
            "dpo_loss": float(np.logaddexp(0, -margins).mean()),
            "preferred": float((np.sign(margins).mean() + 1) / 2),
            "margin": float(margins.mean()),
            **_nats(log_probs),
        }

    def baselines(self, train: Split, split: Split) -> dict[str, dict[str, float]]:
        """base: the model that it begins from, for which every m is 0."""
        assert isinstance(split, Preferences)
        base = {"dpo_loss": float(np.log(2)), "preferred": 0.5, "margin": 0.0}
        if (reference := split.numbers.get("reference")) is not None:
            base |= _nats(reference[split.evenly(self.config.eval_tokens)])
        return {"base": base}

    def write(
        self, model: TeenyGPT, split: Split, number: int, rng: np.random.Generator
    ) -> list[str]:
        """Texts that begin with prompts of the split, spread over it; `number` in all."""
        assert isinstance(split, Preferences)
        rows = split.every(max(len(split) // number, 1))
        room = model.num_tokens - 1
        prompts = [tuple(p[:room].tolist()) for p in split.prompts(np.resize(rows, number))]
        texts = []
        for prompt in dict.fromkeys(prompts):
            ids = model.sample(
                prompts.count(prompt), prompt=prompt, end=self.tokenizer.end, rng=rng
            )
            texts += [self.tokenizer.decode(row) for row in ids]
        return texts

    def in_other_units(self, scores: Mapping[str, float]) -> str:
        """The margin, and how likely both answers are."""
        return (
            f"a margin of {scores['margin']:.3f}; a chosen answer has {scores['chosen_nats']:.2f} "
            f"nats, a rejected one {scores['rejected_nats']:.2f}"
        )


def answer_log_probs(model: TeenyGPT, ids: Ids, counted: npt.NDArray[np.bool_]) -> Tensor:
    """ln p of the counted tokens of each row, each given all before it.    (B, t) -> (B,)"""
    return -model.loss(ids, counted, reduction="none").sum(axis=1)


def _all_log_probs(
    model: TeenyGPT,
    split: Preferences,
    which: Ids,
    each: Map = alone,
) -> Array:
    """ln p of the chosen and of the rejected answer of these rows.    -> (n, 2)"""

    def found(rows: Ids) -> Array:
        return answer_log_probs(model, *split.both(rows)).data.reshape(2, -1).T

    with model.evaluating(), mg.no_grad():
        return np.concatenate(each(found, in_batches(which)))


def _nats(log_probs: Array) -> dict[str, float]:
    """The mean of -ln p of the chosen and of the rejected answers.    log_probs: (N, 2)"""
    chosen, rejected = -log_probs.mean(axis=0, dtype=np.float64)
    return {"chosen_nats": float(chosen), "rejected_nats": float(rejected)}
