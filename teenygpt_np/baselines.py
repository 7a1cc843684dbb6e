"""What guessing scores, to read a model's figures against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from teenygpt_np.text.corpus import lengths

Array = npt.NDArray[np.float64]
AnyIds = npt.NDArray[np.integer[Any]]


def baselines(
    train_ids: AnyIds, ids: AnyIds, num_token_vals: int, pad: int = 0
) -> dict[str, dict[str, float]]:
    """Score `uniform`, `unigram` and `bigram`, fitted on train_ids (N, T), on ids (M, T).

    uniform: p = 1 / V; unigram: p(b) = (n(b) + 1) / (n + V); bigram: p(b | a) = (n(a, b) + 1) /
    (n(a) + V), with n counted in train_ids. The targets are tokens 1..T-1, given the one before.

    Of each: `nll`, mean nats per headline over all T-1 targets, and `top1`, mean over headlines of
    the share of targets that the likeliest token hits (of k equally likely ones, 1/k of the hit).
    `nll_no_pad` and `top1_no_pad` count, and fit on, a headline up to and including its first pad.

    Raises ValueError where an array is not ids of that form.
    """
    _check(train_ids=train_ids, ids=ids, num_token_vals=num_token_vals)
    scores: dict[str, dict[str, float]] = {"uniform": {}, "unigram": {}, "bigram": {}}
    for suffix, skip in (("", None), ("_no_pad", pad)):
        fitted, _ = _pairs(train_ids, num_token_vals, skip)
        seen, shares = _pairs(ids, num_token_vals, skip)
        guesses = {
            "uniform": np.zeros_like(fitted),
            "unigram": np.broadcast_to(fitted.sum(axis=0), fitted.shape),
            "bigram": fitted,
        }
        for name, counts in guesses.items():
            p = (counts + 1) / (counts.sum(axis=1, keepdims=True) + num_token_vals)
            likeliest = counts == counts.max(axis=1, keepdims=True)
            hits = likeliest / likeliest.sum(axis=1, keepdims=True)
            scores[name]["nll" + suffix] = float(-(seen * np.log(p)).sum() / len(ids))
            scores[name]["top1" + suffix] = float((shares * hits).sum() / len(ids))
    return scores


def _pairs(ids: AnyIds, num_token_vals: int, skip: int | None) -> tuple[Array, Array]:
    """n(a, b), and the same with each headline weighing 1 in all.    ids: (N, T) -> (V, V) twice

    skip: the pad after which a headline no longer counts, None to count all
    """
    before, target = ids[:, :-1], ids[:, 1:]
    counted = np.full(len(ids), target.shape[1]) if skip is None else lengths(target, skip)
    mask = np.arange(target.shape[1]) < counted[:, None]
    pairs = (before.astype(np.int64) * num_token_vals + target)[mask]
    weights = np.repeat(1 / counted, counted)
    size = num_token_vals**2
    shape = num_token_vals, num_token_vals
    n = np.bincount(pairs, minlength=size).astype(np.float64).reshape(shape)
    shares = np.bincount(pairs, weights, minlength=size).astype(np.float64).reshape(shape)
    return n, shares


def _check(train_ids: AnyIds, ids: AnyIds, num_token_vals: int) -> None:
    for name, array in (("train_ids", train_ids), ("ids", ids)):
        if array.ndim != 2 or len(array) < 1 or array.shape[1] < 2 or array.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must be integers of shape (N, T), N >= 1 and T >= 2, got {array.dtype} of "
                f"shape {array.shape}"
            )
        if array.min() < 0 or array.max() >= num_token_vals:
            raise ValueError(
                f"{name} must be in 0..{num_token_vals - 1}, got {array.min()}..{array.max()}"
            )
