"""Losses of classification: the negative logarithm of what a target class is given."""

from __future__ import annotations

import numpy as np

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import as_rows, check_ids


@differentiable(constants=["target"])
def nll_loss(log_probs, target, /, *, reduction="mean", ignore_index=-100):
    """loss = -log_probs[..., target].

    dlog_probs = -dloss at the target, else 0.    Keeps the targets.

    The settings and errors are those of `cross_entropy`.
    """
    rows, flat = _rows_and_targets(log_probs, target, ignore_index)
    counted = flat >= 0
    picked = np.arange(len(flat)), np.maximum(flat, 0)
    losses = np.where(counted, -rows[picked], 0)
    shape, rows_shape = log_probs.shape, rows.shape  # so that the vjp does not keep the arrays

    def into_rows(dlosses):
        d = np.zeros(rows_shape, dlosses.dtype)
        d[picked] = np.where(counted, -dlosses, 0)
        return d.reshape(shape)

    return _reduce(losses, flat, target.shape, reduction, into_rows)


@differentiable(constants=["target"])
def cross_entropy(logits, target, /, *, reduction="mean", ignore_index=-100):
    """loss = ln sum(e^logits) - logits[..., target], in nats.

    logits: (..., C), target: (...) integers in 0..C-1 -> (...) for 'none', else ()

    dlogits = dloss (softmax(logits) - onehot(target)).

    Keeps logits, each row's largest and sum, and the targets.

    reduction: 'none', 'sum', or 'mean' over the targets that count (nan where none does).
    ignore_index: a target of this value does not count.
    A target whose logit is -inf has a loss of inf; where all of the row's are, it is nan.

    Raises TypeError for targets that are no integers, IndexError for one outside 0..C-1.
    """
    rows, flat = _rows_and_targets(logits, target, ignore_index)
    losses, largest, total = kernels.cross_entropy(rows, flat)

    def into_rows(dlosses):
        drows = kernels.cross_entropy_vjp(rows, largest, total, flat, dlosses)
        return drows.reshape(logits.shape)

    return _reduce(losses, flat, target.shape, reduction, into_rows)


def _rows_and_targets(scores, target, ignore_index):
    """Scores as (N, C) and targets as (N), with -1 for those that do not count."""
    if scores.ndim == 0 or scores.shape[-1] == 0 or scores.shape[:-1] != target.shape:
        raise ValueError(
            f"scores {scores.shape}, targets {target.shape}: wanted (..., C), (...), C at least 1"
        )
    classes = scores.shape[-1]
    ignored = target == ignore_index
    check_ids("target", target, classes, ignored)
    flat = np.where(ignored, -1, target.astype(np.intp)).reshape(-1)
    return as_rows(scores), flat


def _reduce(losses, flat, shape, reduction, into_rows):
    """Losses (N) reduced as asked, and the vjp that takes d(reduced) back to the scores."""
    if reduction == "none":
        return losses.reshape(shape), lambda d: (into_rows(d.reshape(-1)), None)
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction is {reduction!r}, wanted 'none', 'sum' or 'mean'")
    with np.errstate(divide="ignore"):
        scale = 1 / losses.dtype.type((flat >= 0).sum()) if reduction == "mean" else 1
    with np.errstate(invalid="ignore"):
        total = losses.sum() * scale
    return total, lambda d: (into_rows(np.full(losses.shape, d * scale, losses.dtype)), None)
