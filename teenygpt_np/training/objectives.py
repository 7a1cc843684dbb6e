"""What a model is trained for: the loss of a batch, and the score that picks the best epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigrad import Tensor
from teenygpt_np.config import Config
from teenygpt_np.model.layers import routings
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.scores import scores
from teenygpt_np.text.batches import Batch, Split
from teenygpt_np.text.tokenizer import Ids

LENGTH = 500  # tokens of a sample of running text
# Of the balance among experts, beside a loss per token: Switch Transformers, 2021,
# arXiv:2101.03961, section 2.2. Ours is per row, so each counted token has it. Without that factor
# three runs (tiny, 3 epochs, 8 experts, 2 active, seeds 0 to 2) ended at 35.4 test nats on average
# instead of 35.1, and the fullest expert had 34 to 47% of the tokens instead of 30 to 33%, where
# equal shares are 25%.
_BALANCE = 0.01


class Loss(NamedTuple):
    """What a step minimizes, and the part of it that is told: nats per row."""

    minimized: Tensor
    nll: float


class NextToken:
    """-ln p(x[t+1] | x[0..t]), summed over a row, in nats, and averaged over the rows of a batch.

    With `ignore_pads` a row counts up to its end, in batches of rows of similar length; otherwise
    with all T tokens, padding included, as in the article. A line is scored in nats as a whole, a
    running text, which has no rows of its own, in nats per character.
    """

    def __init__(self, config: Config) -> None:
        self.padded = not config.ignore_pads
        self.running = config.text == "running"
        self.most_tokens = config.eval_tokens
        suffix = "" if self.padded else "_no_pad"
        self.top1 = f"top1{suffix}"
        self.score = "nats_per_character" if self.running else f"nll{suffix}"  # lower is better
        self.unit, self.digits = ("character", 3) if self.running else ("headline", 2)
        self.written_at_the_end = "a text" if self.running else "ten headlines"
        # How many samples an epoch's file has, how many are shown of it, and how many at the end.
        self.samples = (4, 1, 1) if self.running else (64, 3, 10)
        self.length = LENGTH if self.running else None  # of a sample, in tokens; None: as in a row

    def rows_per_batch(self, split: Split, batch_size: int, batch_tokens: int) -> int:
        """batch_size, or more where rows are so short that it makes less than batch_tokens."""
        return split.rows_per_batch(batch_size, batch_tokens, padded=self.padded)

    def order(self, split: Split, batch_size: int, rng: np.random.Generator) -> list[Ids]:
        """The rows of each batch of an epoch."""
        return split.shuffled(batch_size, rng, padded=self.padded)

    def batch(self, split: Split, rows: Ids) -> Batch:
        """The batch of these rows, as `loss` takes it."""
        return split.whole_batch(rows) if self.padded else split.batch(rows)

    def units(self, split: Split, rows: Ids) -> int:
        """How many headlines, or characters of running text, are predicted in these rows."""
        if not self.running:
            return len(rows)
        ids, counted = split.batch(rows)
        return split.sizes(ids[counted])[0]

    def loss(self, model: TeenyGPT, batch: Batch) -> Loss:
        """The loss of a batch; minimized is also each layer of experts' imbalance.

        It counts 0.01 for each token that counts in the loss, on average over the rows.
        """
        nll = minimized = model.loss(batch.ids, batch.counted)
        weight = float(_BALANCE * batch.counted[:, 1:].sum() / len(batch.ids))
        for routing in routings(model).values():
            minimized = minimized + weight * routing.imbalance
        return Loss(minimized, nll.item())

    def scores(
        self, model: TeenyGPT, split: Split, before_batch: Callable[[], object]
    ) -> dict[str, float]:
        """All scores of a model on a split, `score` and `top1` among them; see `scores.scores`."""
        return scores(model, split, before_batch, most_tokens=self.most_tokens)
