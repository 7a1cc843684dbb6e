"""Masking: some tokens of a text are hidden, and a model learns to tell what stood there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teenygpt_np.text.batches import Batch
from teenygpt_np.text.tokenizer import Ids

HIDDEN, CHANGED = 0.8, 0.1  # of the masked tokens: a mask, another token; the rest stay as they are


class MaskedBatch(NamedTuple):
    """Rows with masked tokens.

    ids: (B, T), what the model reads.    targets: (B, T), what stood there before
    masked: (B, T) bool, where the loss counts.    lengths: (B), the tokens of each row
    counted: (B, T) bool, as of the batch that it was made from
    """

    ids: Ids
    targets: Ids
    masked: npt.NDArray[np.bool_]
    lengths: Ids
    counted: npt.NDArray[np.bool_]


def masked_batch(
    batch: Batch,
    end: int,
    mask: int,
    rng: np.random.Generator,
    *,
    share: float = 0.15,
    span: float = 3.0,
) -> MaskedBatch:
    """Mask a share of the tokens that hold text, in spans of `span` tokens on average.

    A single hidden character is easily told from its neighbours, so spans are hidden: their lengths
    are geometric. Of the masked tokens 80% become the token `mask`, 10% one of the batch's own, by
    chance, and 10% stay.

    Whether a token is masked is a Markov chain along the row: in a span the next token is masked
    with probability 1 - 1 / span, outside one with the probability that gives the share wanted.

    Source: Devlin et al., BERT, 2018, section 3.1, arXiv:1810.04805; spans: Joshi et al., SpanBERT,
    2019, section 3.1, arXiv:1907.10529.
    """
    ids = batch.ids
    text = batch.counted & (ids != end)
    begins, goes_on = share / (1 - share) / span, 1 - 1 / span
    draws = rng.random(ids.shape)
    masked = np.zeros(ids.shape, bool)
    within = rng.random(len(ids)) < share  # as the chain has it at any place
    for t in range(ids.shape[1]):
        within = draws[:, t] < np.where(within, goes_on, begins)
        masked[:, t] = within
    masked &= text
    shown, fate = ids.copy(), rng.random(ids.shape)
    shown[masked & (fate < HIDDEN)] = mask
    changed = masked & (fate >= HIDDEN) & (fate < HIDDEN + CHANGED)
    if changed.any():
        shown[changed] = rng.choice(ids[text], changed.sum())
    lengths = batch.counted.sum(axis=1) + 1  # all count but the first
    return MaskedBatch(shown, ids, masked, lengths, batch.counted)
