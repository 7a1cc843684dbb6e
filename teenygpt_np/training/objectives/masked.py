"""Masked tokens: what an encoder is trained for, alone or beside the next token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.config import Config
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.ranks import Map, alone
from teenygpt_np.text.batches import Batch, Split, in_batches
from teenygpt_np.text.tokenizer import Ids, Tokenizer
from teenygpt_np.training.objectives.masking import MaskedBatch, masked_batch
from teenygpt_np.training.objectives.next_token import NextToken, balanced
from teenygpt_np.training.objectives.objective import Loss, Objective

_MOST_COUNTED = 5_000_000  # tokens, for the baselines
_SEED = 0  # of the masks of a split that is scored: the same ones every time


class MaskedTokens(Objective):
    """-ln p(x[m] | all that is not hidden), summed over a row's masked tokens m, in nats.

    The model is an encoder: each token sees its whole row. A batch's loss is the mean of its rows;
    scores are per masked token.

    Source: Devlin et al., BERT, 2018, section 3.1, arXiv:1810.04805; the article's l_masked.
    """

    score, top1, unit, digits, of_text = "masked_nats", "masked_top1", "masked token", 3, False
    written = "ten texts with what it fills in, in brackets"
    prompt = " --prompt '...___...'"

    def batch(self, split: Split, rows: Ids, rng: np.random.Generator) -> MaskedBatch:
        """The batch of these rows, with masks drawn from rng."""
        config, tokenizer = self.config, self.tokenizer
        T = config.num_tokens  # a window of running text has one token more
        ids, counted = split.batch(rows)
        batch = Batch(ids[:, :T], counted[:, :T])
        mask = tokenizer.num_token_vals
        kinds = {"share": config.mask_share, "span": config.mask_span}
        return masked_batch(batch, tokenizer.end, mask, rng, **kinds)

    def loss(self, model: TeenyGPT, batch: MaskedBatch) -> Loss:
        """The loss of a batch, per masked token."""
        minimized, nats = self.of_masked(model, batch)
        return Loss(minimized, nats, int(batch.masked.sum()))

    def of_masked(self, model: TeenyGPT, batch: MaskedBatch) -> tuple[Tensor, float]:
        """The masked loss per row, with the balance of experts, and its nats in all."""
        nll = model.masked_loss(batch.ids, batch.targets, batch.masked, batch.lengths)
        return balanced(model, nll / len(batch.ids), batch.masked), nll.item()

    def scores(self, model: TeenyGPT, split: Split, each: Map = alone) -> dict[str, float]:
        """Of the masked tokens: nats and the share guessed right; masked_nll is nats per row.

        The masks of a split are the same every time, whatever the model.
        """

        def sums(batch: MaskedBatch) -> Array:
            log_probs = mg.log_softmax(model(batch.ids, lengths=batch.lengths)).data
            found, targets = log_probs[batch.masked], batch.targets[batch.masked]
            nats = -found[np.arange(len(targets)), targets].sum(dtype=np.float64)
            return np.array([nats, (found.argmax(axis=1) == targets).sum(), len(targets)])

        which = split.evenly(self.config.eval_tokens)
        with model.evaluating(), mg.no_grad():
            nats, right, masked = np.sum(each(sums, self._batches(split, which)), axis=0).tolist()
        return {
            "masked_nats": nats / max(masked, 1),
            "masked_top1": right / max(masked, 1),
            "masked_nll": nats / len(which),
        }

    def _batches(self, split: Split, which: Ids) -> Iterator[MaskedBatch]:
        rng = np.random.default_rng(_SEED)
        return (self.batch(split, rows, rng) for rows in in_batches(which))

    def baselines(self, train: Split, split: Split) -> dict[str, dict[str, float]]:
        """uniform: p = 1 / V.    unigram: p(b) = (n(b) + 1) / (n + V), n counting b in train."""
        V, rng = self.tokenizer.num_token_vals, np.random.default_rng(_SEED)
        seen, fitted = np.zeros(V), np.zeros(V)
        for counts, part, most in (
            (seen, split, self.config.eval_tokens),
            (fitted, train, _MOST_COUNTED),
        ):
            for which in in_batches(part.evenly(most)):
                batch = self.batch(part, which, rng)
                counts += np.bincount(batch.targets[batch.masked], minlength=V)
        total, rows = max(seen.sum(), 1), len(split.evenly(self.config.eval_tokens))
        p = (fitted + 1) / (fitted.sum() + V)
        nats = {"uniform": seen.sum() * math.log(V), "unigram": float(-(seen @ np.log(p)))}
        top1 = {"uniform": 1 / V, "unigram": float(seen[fitted.argmax()] / total)}
        return {
            name: {self.score: n / total, self.top1: top1[name], "masked_nll": n / rows}
            for name, n in nats.items()
        }

    def write(
        self, model: TeenyGPT, split: Split, number: int, rng: np.random.Generator
    ) -> list[str]:
        """Texts of the split, with what the model fills in where tokens are hidden in brackets."""
        which = split.in_order[:: max(len(split) // number, 1)][:number]
        batch = self.batch(split, which, rng)
        ids = np.where(batch.masked, model.mask, batch.targets)
        filled = model.fill(ids, batch.lengths, special=self.tokenizer.special, rng=rng)
        return [
            in_brackets(self.tokenizer, row[:length], blank[:length])
            for row, blank, length in zip(filled, batch.masked, batch.lengths, strict=True)
        ]


def in_brackets(tokenizer: Tokenizer, ids: Ids, filled: npt.NDArray[np.bool_]) -> str:
    """The text of a row, with brackets around what was filled in.    ids, filled: (T)"""
    cuts = np.flatnonzero(np.diff(filled)) + 1
    parts = zip(np.split(ids, cuts), np.split(filled, cuts), strict=True)
    return "".join(
        f"[{text}]" if f[0] else text for i, f in parts for text in [tokenizer.decode(i)]
    )


class JointBatch(NamedTuple):
    """The same rows for both losses.    counted: (B, T) bool, as of `whole`"""

    whole: Batch
    masked: MaskedBatch
    counted: npt.NDArray[np.bool_]


class Joint(NextToken):
    """l + alpha l_masked: the next token from those before it, and masked ones from the whole row.

    Two passes through the same weights, one causal and one not. The score is the same sum of both
    in nats per headline or, of running text, per character.

    Source: Dong et al., Unified Language Model Pre-training, 2019, section 2.3, arXiv:1905.03197;
    Izdebski et al., De Novo Drug Design with Joint Transformers, 2023, arXiv:2310.02066.
    """

    def __init__(self, config: Config, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        self.of_next, self.score, self.of_text = self.score, "joint", False
        self.unit += ", both losses"
        self.filling = MaskedTokens(config, tokenizer)

    def batch(self, split: Split, rows: Ids, rng: np.random.Generator) -> Any:
        """The batch of these rows, with masks drawn from rng for one of the losses."""
        whole = super().batch(split, rows, rng)
        return JointBatch(whole, self.filling.batch(split, rows, rng), whole.counted)

    def loss(self, model: TeenyGPT, batch: Any) -> Loss:
        """The loss of a batch, per headline or, of running text, per character."""
        minimized, nats, units = super().loss(model, batch.whole)
        filling, masked_nats = self.filling.of_masked(model, batch.masked)
        alpha = self.config.alpha
        return Loss(minimized + alpha * filling, nats + alpha * masked_nats, units)

    def scores(self, model: TeenyGPT, split: Split, each: Map = alone) -> dict[str, float]:
        """The scores of both, and `joint`."""
        both = super().scores(model, split, each)
        return self._with_joint(both | self.filling.scores(model, split, each))

    def baselines(self, train: Split, split: Split) -> dict[str, dict[str, float]]:
        """Those that there are for both."""
        of_next = super().baselines(train, split)
        of_masked = self.filling.baselines(train, split)
        return {name: self._with_joint(of_next[name] | of_masked[name]) for name in of_masked}

    def _with_joint(self, scores: dict[str, float]) -> dict[str, float]:
        per = scores["nats_per_character"] / scores["nll_no_pad"] if self.running else 1.0
        filling = scores["masked_nll"] * per
        return scores | {"joint": scores[self.of_next] + self.config.alpha * filling}

    def in_other_units(self, scores: Mapping[str, float]) -> str:
        """The losses apart."""
        return (
            f"{super().in_other_units(scores)} for the next token, and "
            f"{scores['masked_nats']:.3f} nats per masked token"
        )
