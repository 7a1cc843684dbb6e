"""Pairs: a target is written from its source, by an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import minigrad as mg
from minigrad import Array
from teenygpt_np.baselines import baselines
from teenygpt_np.model.encoder_decoder import EncoderDecoder
from teenygpt_np.ranks import Map, alone
from teenygpt_np.text.batches import Split, in_batches
from teenygpt_np.text.edits import edits
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.text.tuples import Pairs
from teenygpt_np.training.objectives.objective import Loss, Objective

WRITTEN = 256  # targets that are written for a score, at most: it takes far longer than reading


class PairBatch(NamedTuple):
    """source: (B, S) ids.    lengths: (B), its tokens.    target: (B, t) ids

    counted: (B, t) bool, the tokens of the target that count in the loss
    """

    source: Ids
    lengths: Ids
    target: Ids
    counted: npt.NDArray[np.bool_]


class PairsObjective(Objective):
    """-ln p(target | source), summed over the target's tokens, in nats, and averaged over pairs.

    Scores, besides it: `exact_match`, the share of the targets that are written as they are, and
    `edits` per character of the target (`text.edits`). For these a target is written greedily, the
    likeliest token at each place, from `pairs_written` sources that are spread over the split:
    `WRITTEN` at most, or all with eval_tokens 0.
    """

    score, top1, unit, of_text = "target_nats", "exact_match", "target", False
    top1_said = "exact match"
    written = "ten sources, and what it writes from them"

    def batch(self, split: Split, rows: Ids, rng: np.random.Generator) -> PairBatch:
        """The batch of these pairs."""
        assert isinstance(split, Pairs)
        source, target = split.parts(rows)
        return PairBatch(source.ids, split.part(0).extent(rows)[1], *target)

    def trial(self, num_tokens: int) -> Split:
        """Two pairs of num_tokens tokens in each text."""
        lengths = np.full(4, num_tokens)
        ids = np.ones(4 * num_tokens, self.tokenizer.dtype)
        return Pairs.of_ids(ids, lengths, 2, self.tokenizer).cut(num_tokens)

    def loss(self, model: EncoderDecoder, batch: PairBatch) -> Loss:
        """The loss of a batch, per target."""
        nll = model.loss(*batch)
        return Loss(nll, nll.item() * len(batch.target), len(batch.target))

    def scores(self, model: EncoderDecoder, split: Split, each: Map = alone) -> dict[str, float]:
        """Nats per target and per character of it, and, of written targets, what the class says."""

        def sums(rows: Ids) -> Array:
            batch = self.batch(split, rows, np.random.default_rng(0))
            nats = model.loss(*batch, reduction="none").data.sum(dtype=np.float64)
            return np.array([nats, split.sizes(batch.target[batch.counted])[0]])

        def written(rows: Ids) -> list[str]:
            return self._written(model, split, rows)

        which, some = split.evenly(self.config.eval_tokens), self._some(split)
        with model.evaluating(), mg.no_grad():
            nats, characters = np.sum(each(sums, in_batches(which)), axis=0).tolist()
        texts = [text for batch in each(written, in_batches(some)) for text in batch]
        return {
            "target_nats": nats / len(which),
            "nats_per_character": nats / characters,
            **_compared(texts, _texts(split, 1, some)),
            "pairs_written": float(len(some)),
        }

    def _some(self, split: Split) -> Ids:
        """The pairs whose targets are written for a score."""
        step = -(-len(split) // WRITTEN) if self.config.eval_tokens else 1
        return split.every(step)

    def _written(self, model: EncoderDecoder, split: Split, rows: Ids) -> list[str]:
        batch = self.batch(split, rows, np.random.default_rng(0))
        begin, end = self.tokenizer.begin, self.tokenizer.end
        ids = model.sample(batch.source, batch.lengths, begin=begin, end=end, temperature=0)
        return [self.tokenizer.decode(row) for row in ids]

    def baselines(self, train: Split, split: Split) -> dict[str, dict[str, float]]:
        """Those of `baselines.baselines` on the targets alone; `copy`: the source as its target."""
        kept = {"nll_no_pad": "target_nats", "nats_per_character": "nats_per_character"}
        found = {
            name: {new: scores[old] for old, new in kept.items()}
            for name, scores in baselines(train, split, self.config.eval_tokens).items()
        }
        rows = self._some(split)
        return found | {"copy": _compared(_texts(split, 0, rows), _texts(split, 1, rows))}

    def in_other_units(self, scores: Mapping[str, float]) -> str:
        """What any tokenizer can be compared by."""
        return (
            f"{scores['nats_per_character']:.3f} nats per character, and of "
            f"{scores['pairs_written']:,.0f} targets that it wrote {scores['edits']:.3f} edits per "
            "character"
        )

    def write(
        self, model: EncoderDecoder, split: Split, number: int, rng: np.random.Generator
    ) -> list[str]:
        """Sources of the split, each with an arrow and what the model writes from it."""
        which = split.every(max(len(split) // number, 1))[:number]
        pairs = zip(_texts(split, 0, which), self._written(model, split, which), strict=True)
        return [f"{source} -> {target}" for source, target in pairs]


def _texts(split: Split, part: int, rows: Ids) -> list[str]:
    assert isinstance(split, Pairs)
    return split.select(rows).part(part).texts()


def _compared(written: list[str], wanted: list[str]) -> dict[str, float]:
    """The share that is exact, and edits per character."""
    pairs = list(zip(written, wanted, strict=True))
    return {
        "exact_match": sum(a == b for a, b in pairs) / max(len(pairs), 1),
        "edits": sum(edits(a, b) for a, b in pairs) / max(sum(map(len, wanted)), 1),
    }
