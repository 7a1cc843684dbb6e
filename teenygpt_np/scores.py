"""Scores of a model on a split: negative log-likelihood and top-1, with padding and without."""

from __future__ import annotations

import math

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.ranks import Map, alone
from teenygpt_np.text.batches import Split, in_batches
from teenygpt_np.text.tokenizer import Ids


def scores(
    model: TeenyGPT,
    split: Split,
    each: Map = alone,
    *,
    most_tokens: int = 0,
) -> dict[str, float]:
    """Means over N rows.    -> nll, nll_no_pad in nats per row; top1, top1_no_pad as shares

    nll and top1 count all T - 1 predictions, padding included, as the article does; nll_no_pad and
    top1_no_pad count each row up to and including the token that ends it. nats_per_character and
    bits_per_byte are nll_no_pad of the whole split over the size of the text that it predicts, the
    end of each row counted as a newline: any tokenizer can be compared by them. Dropout is off,
    whatever the model's mode.

    each: does the work on each batch, in several processes or in one
    most_tokens: score only so many, in rows spread evenly over the split; 0: all
    """

    def sums(rows: Ids) -> Array:
        ids, weights = split.whole_batch(rows).ids, split.counted(rows)[:, 1:]
        x, targets = ids[:, :-1], ids[:, 1:]
        log_probs = model.log_probs(x).data
        nll = -np.take_along_axis(log_probs, targets[:, :, None], axis=2)[:, :, 0]
        nll = nll.astype(np.float64)
        right = log_probs.argmax(axis=2) == targets
        right_no_pad = (right & weights).sum(axis=1) / weights.sum(axis=1)
        totals = nll.sum(), (nll * weights).sum(), right.mean(axis=1).sum(), right_no_pad.sum()
        return np.array([*totals, *split.sizes(targets[weights])])

    which = split.evenly(most_tokens)
    with model.evaluating(), mg.no_grad():
        *totals, characters, size = np.sum(each(sums, in_batches(which)), axis=0).tolist()
    names = "nll", "nll_no_pad", "top1", "top1_no_pad"
    return {name: total / len(which) for name, total in zip(names, totals, strict=True)} | {
        "nats_per_character": totals[1] / characters,
        "bits_per_byte": totals[1] / size / math.log(2),
    }


def nats(model: TeenyGPT, split: Split, each: Map = alone) -> Array:
    """The NLL of each row up to and including the token that ends it.    N rows -> (N,), in nats"""

    def sums(rows: Ids) -> Array:
        batch = split.batch(rows)
        losses = model.loss(batch.ids, batch.counted, reduction="none").data
        return losses.sum(axis=1, dtype=np.float64)

    with model.evaluating(), mg.no_grad():
        return np.concatenate(each(sums, in_batches(split.in_order)))
