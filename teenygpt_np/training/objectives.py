"""What a model is trained for: the loss of a batch, and the score that picks the best epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigrad import Tensor
from teenygpt_np.model.layers import routings
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.scores import scores
from teenygpt_np.text.batches import Batch, Rows, batches, rows_per_batch
from teenygpt_np.text.tokenizer import Ids

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

    ignore_pads: count each row up to its end, in batches of rows of similar length; otherwise count
    all T tokens, padding included, as the article does
    """

    def __init__(self, ignore_pads: bool) -> None:
        self.ignore_pads = ignore_pads
        self.score = "nll_no_pad" if ignore_pads else "nll"  # lower is better
        self.top1 = self.score.replace("nll", "top1")

    def rows_per_batch(self, rows: Rows, batch_size: int, batch_tokens: int) -> int:
        """batch_size, or more where rows are so short that it makes less than batch_tokens."""
        lengths = rows.lengths if self.ignore_pads else np.full(len(rows), rows.ids.shape[1])
        return rows_per_batch(lengths, batch_size, batch_tokens)

    def order(self, rows: Rows, batch_size: int, rng: np.random.Generator) -> list[Ids]:
        """The row indices of each batch of an epoch."""
        return batches(len(rows), batch_size, rng, rows.lengths if self.ignore_pads else None)

    def batch(self, rows: Rows, which: Ids) -> Batch:
        """The batch of these rows, as `loss` takes it."""
        return rows.batch(which) if self.ignore_pads else rows.whole_batch(which)

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
        self, model: TeenyGPT, rows: Rows, before_batch: Callable[[], object]
    ) -> dict[str, float]:
        """All scores of a model on a split, `score` and `top1` among them; see `scores.scores`."""
        return scores(model, rows, before_batch)
