"""Baselines to compare a model with: predictions from counts of tokens and of pairs of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from teenygpt_np.text.batches import Rows

Array = npt.NDArray[np.float64]
AnyIds = npt.NDArray[np.integer[Any]]


def baselines(train: Rows, rows: Rows, num_token_vals: int) -> dict[str, dict[str, float]]:
    """Score `uniform`, `unigram` and `bigram`, fitted on train (N, T), on rows (M, T).

    uniform: p = 1 / V.    unigram: p(b) = (n(b) + 1) / (n + V).    bigram: p(b | a) = (n(a, b) + 1)
    / (n(a) + V). The targets b are tokens 1..T-1, each after token a; n counts them in train. The
    added 1 (Laplace smoothing) keeps every probability above 0.

    Returns for each baseline `nll`, the mean nats per row, and `top1`, the share of targets that
    are the likeliest token, averaged over rows (if k tokens are equally likely, each counts 1/k).
    These count all T-1 targets; `nll_no_pad` and `top1_no_pad` are fitted and scored on each row
    only up to and including the token that ends it.

    Raises ValueError for an id outside 0..V-1.
    """
    _check(num_token_vals, train=train, rows=rows)
    scores: dict[str, dict[str, float]] = {"uniform": {}, "unigram": {}, "bigram": {}}
    for suffix in ("", "_no_pad"):
        fitted, _ = _pairs(train, num_token_vals, padding=not suffix)
        seen, shares = _pairs(rows, num_token_vals, padding=not suffix)
        guesses = {
            "uniform": np.zeros_like(fitted),
            "unigram": np.broadcast_to(fitted.sum(axis=0), fitted.shape),
            "bigram": fitted,
        }
        for name, counts in guesses.items():
            p = (counts + 1) / (counts.sum(axis=1, keepdims=True) + num_token_vals)
            likeliest = counts == counts.max(axis=1, keepdims=True)
            hits = likeliest / likeliest.sum(axis=1, keepdims=True)
            scores[name]["nll" + suffix] = float(-(seen * np.log(p)).sum() / len(rows))
            scores[name]["top1" + suffix] = float((shares * hits).sum() / len(rows))
    return scores


def _pairs(rows: Rows, num_token_vals: int, *, padding: bool) -> tuple[Array, Array]:
    """Counts n(a, b), and the same with each row's pairs weighted to sum to 1.    -> (V, V) twice

    padding: count the pairs in the padding after a row's end as well
    """
    before, target = rows.ids[:, :-1], rows.ids[:, 1:]
    counted = np.full(len(rows), target.shape[1]) if padding else rows.lengths - 1
    mask = np.arange(target.shape[1]) < counted[:, None]
    pairs = (before.astype(np.int64) * num_token_vals + target)[mask]
    weights = np.repeat(1 / counted, counted)
    size = num_token_vals**2
    shape = num_token_vals, num_token_vals
    n = np.bincount(pairs, minlength=size).astype(np.float64).reshape(shape)
    shares = np.bincount(pairs, weights, minlength=size).astype(np.float64).reshape(shape)
    return n, shares


def _check(num_token_vals: int, **splits: Rows) -> None:
    for name, rows in splits.items():
        low, high = rows.ids.min(), rows.ids.max()
        if low < 0 or high >= num_token_vals:
            raise ValueError(f"{name} has ids in {low}..{high}, wanted 0..{num_token_vals - 1}")
