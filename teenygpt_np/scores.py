"""Scores of a model on a split: negative log-likelihood and top-1, with padding and without."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.batches import Split

_BATCH = 64


def scores(
    model: TeenyGPT,
    split: Split,
    before_batch: Callable[[], object] = lambda: None,
    *,
    most_tokens: int = 0,
) -> dict[str, float]:
    """Means over N rows.    -> nll, nll_no_pad in nats per row; top1, top1_no_pad as shares

    nll and top1 count all T - 1 predictions, padding included, as the article does; nll_no_pad and
    top1_no_pad count each row up to and including the token that ends it. nats_per_character and
    bits_per_byte are nll_no_pad of the whole split over the size of the text that it predicts, the
    end of each row counted as a newline: any tokenizer can be compared by them. Dropout is off,
    whatever the model's mode.

    before_batch: called before each batch; an exception that it raises ends the scoring
    most_tokens: score only so many, in rows spread evenly over the split; 0: all
    """
    totals = dict.fromkeys(("nll", "nll_no_pad", "top1", "top1_no_pad"), 0.0)
    which, sizes = split.evenly(most_tokens), np.zeros(2)
    with model.evaluating(), mg.no_grad():
        for start in range(0, len(which), _BATCH):
            before_batch()
            rows = which[start : start + _BATCH]
            batch = split.whole_batch(rows)
            x, targets = batch.ids[:, :-1], batch.ids[:, 1:]
            weights = split.counted(rows)[:, 1:]
            log_probs = model.log_probs(x).data
            nll = -np.take_along_axis(log_probs, targets[:, :, None], axis=2)[:, :, 0]
            nll = nll.astype(np.float64)
            right = log_probs.argmax(axis=2) == targets
            totals["nll"] += nll.sum()
            totals["nll_no_pad"] += (nll * weights).sum()
            totals["top1"] += right.mean(axis=1).sum()
            totals["top1_no_pad"] += ((right & weights).sum(axis=1) / weights.sum(axis=1)).sum()
            sizes += split.sizes(targets[weights])
    return {name: float(total) / len(which) for name, total in totals.items()} | {
        "nats_per_character": float(totals["nll_no_pad"] / sizes[0]),
        "bits_per_byte": float(totals["nll_no_pad"] / sizes[1] / math.log(2)),
    }


def nats(model: TeenyGPT, split: Split) -> Array:
    """The NLL of each row up to and including the token that ends it.    N rows -> (N,), in nats"""
    parts = []
    with model.evaluating(), mg.no_grad():
        for start in range(0, len(split), _BATCH):
            batch = split.batch(split.in_order[start : start + _BATCH])
            losses = model.loss(batch.ids, batch.counted, reduction="none").data
            parts.append(losses.sum(axis=1, dtype=np.float64))
    return np.concatenate(parts)
