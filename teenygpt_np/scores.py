"""Scores of a model on a split: negative log-likelihood and top-1, with padding and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.batches import Rows

_BATCH = 64


def scores(
    model: TeenyGPT, rows: Rows, before_batch: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Means over N rows.    -> nll, nll_no_pad in nats per row; top1, top1_no_pad as shares

    nll and top1 count all T - 1 predictions, padding included, as the article does; nll_no_pad and
    top1_no_pad count each row up to and including the token that ends it. Dropout is off, whatever
    the model's mode.

    before_batch: called before each batch; an exception that it raises ends the scoring
    """
    totals = dict.fromkeys(("nll", "nll_no_pad", "top1", "top1_no_pad"), 0.0)
    with model.evaluating(), mg.no_grad():
        for start in range(0, len(rows), _BATCH):
            before_batch()
            now = slice(start, start + _BATCH)
            x, targets = rows.ids[now, :-1], rows.ids[now, 1:]
            weights = rows.counted(now)[:, 1:]
            log_probs = model.log_probs(x).data
            nll = -np.take_along_axis(log_probs, targets[:, :, None], axis=2)[:, :, 0]
            nll = nll.astype(np.float64)
            right = log_probs.argmax(axis=2) == targets
            totals["nll"] += nll.sum()
            totals["nll_no_pad"] += (nll * weights).sum()
            totals["top1"] += right.mean(axis=1).sum()
            totals["top1_no_pad"] += ((right & weights).sum(axis=1) / weights.sum(axis=1)).sum()
    return {name: float(total) / len(rows) for name, total in totals.items()}


def nats(model: TeenyGPT, rows: Rows) -> Array:
    """The NLL of each row up to and including the token that ends it.    N rows -> (N,), in nats"""
    parts = []
    with model.evaluating(), mg.no_grad():
        for start in range(0, len(rows), _BATCH):
            batch = rows.batch(np.arange(start, min(start + _BATCH, len(rows))))
            losses = model.loss(batch.ids, batch.counted, reduction="none").data
            parts.append(losses.sum(axis=1, dtype=np.float64))
    return np.concatenate(parts)
