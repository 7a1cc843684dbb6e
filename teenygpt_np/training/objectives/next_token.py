"""The next token: what a decoder is trained for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import Array, Tensor
from teenygpt_np.baselines import baselines
from teenygpt_np.config import Config
from teenygpt_np.model.layers import routings
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.ranks import Map, alone
from teenygpt_np.scores import scores
from teenygpt_np.text.batches import Split
from teenygpt_np.text.headlines import unit_of
from teenygpt_np.text.tokenizer import Ids, Tokenizer
from teenygpt_np.training.objectives.objective import BALANCE, Loss, Objective

LENGTH = 500  # tokens of a sample of running text


class NextToken(Objective):
    """-ln p(x[t+1] | x[0..t]), summed over a row, in nats, and averaged over the rows of a batch.

    With `ignore_pads` a row counts up to its end, in batches of rows of similar length; otherwise
    with all T tokens, padding included, as in the article. A line is scored in nats as a whole, a
    running text, which has no rows of its own, in nats per character.
    """

    def __init__(self, config: Config, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        self.padded = not config.ignore_pads
        self.running = config.text == "running"
        suffix = "" if self.padded else "_no_pad"
        self.top1 = f"top1{suffix}"
        self.score = "nats_per_character" if self.running else f"nll{suffix}"
        line = unit_of(config.data)
        self.unit, self.digits = ("character", 3) if self.running else (line, 2)
        self.of_text = not self.padded
        self.written = "a text it writes" if self.running else f"ten {line}s it writes"
        self.samples = (4, 1, 1) if self.running else (64, 3, 10)
        self.length = LENGTH if self.running else None  # of a sample, in tokens; None: as in a row

    def batch(self, split: Split, rows: Ids, rng: np.random.Generator) -> Any:
        """The batch of these rows."""
        return split.whole_batch(rows) if self.padded else split.batch(rows)

    def loss(self, model: TeenyGPT, batch: Any) -> Loss:
        """The loss of a batch, per line or, of running text, per character.

        minimized is per row, and also has each layer of experts' imbalance: 0.01 of it for each
        token that counts in the loss, on average over the rows.
        """
        nll = model.loss(batch.ids, batch.counted)
        rows = len(batch.ids)
        units = self.tokenizer.sizes[0][batch.ids[batch.counted]].sum() if self.running else rows
        return Loss(balanced(model, nll, batch.counted[:, 1:]), nll.item() * rows, int(units))

    def scores(self, model: TeenyGPT, split: Split, each: Map = alone) -> dict[str, float]:
        """See `scores.scores`."""
        return scores(model, split, each, most_tokens=self.config.eval_tokens)

    def baselines(self, train: Split, split: Split) -> dict[str, dict[str, float]]:
        """See `baselines.baselines`."""
        return baselines(train, split, self.config.eval_tokens)

    def write(
        self, model: TeenyGPT, split: Split, number: int, rng: np.random.Generator
    ) -> list[str]:
        """Texts from their beginning."""
        tokenizer = self.tokenizer
        prompt = tokenizer.encode_prompt("").tolist()
        ids = model.sample(number, prompt=prompt, end=tokenizer.end, length=self.length, rng=rng)
        return [tokenizer.decode(row) for row in ids]

    def in_other_units(self, scores: Mapping[str, float]) -> str:
        """Those that any tokenizer can be compared by."""
        return (
            f"{scores['nats_per_character']:.3f} nats per character, "
            f"{scores['bits_per_byte']:.3f} bits per byte"
        )


def balanced(model: TeenyGPT, loss: Tensor, counted: Array) -> Tensor:
    """A loss per row with what its pass through the model adds for an unequal use of experts.

    counted: (B, T) bool, the tokens that count in the loss
    """
    weight = float(BALANCE * counted.sum() / len(counted))
    for routing in routings(model).values():
        loss = loss + weight * routing.imbalance
    return loss
