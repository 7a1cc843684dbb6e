"""Baselines to compare a model with: predictions from counts of tokens and of pairs of tokens."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from teenygpt_np.text.batches import Split
from teenygpt_np.text.tokenizer import Ids

Array = npt.NDArray[np.float64]

_MOST_FITTED = 5_000_000  # tokens that are counted, spread over the training split
_MOST_PAIRS = 1 << 24  # V * V: counts of more pairs take too much memory, and say little
_ROWS = 4096


def baselines(train: Split, split: Split, most_tokens: int = 0) -> dict[str, dict[str, float]]:
    """Score `uniform`, `unigram` and `bigram`, fitted on train, on the rows of another split.

    uniform: p = 1 / V.    unigram: p(b) = (n(b) + 1) / (n + V).    bigram: p(b | a) = (n(a, b) + 1)
    / (n(a) + V). The targets b are tokens 1..T-1, each after token a; n counts them in train. The
    added 1 (Laplace smoothing) keeps every probability above 0. A V above 4,096 has no `bigram`.

    Returns for each baseline `nll`, the mean nats per row, and `top1`, the share of targets that
    are the likeliest token, averaged over rows (if k tokens are equally likely, each counts 1/k).
    These count all T-1 targets; `nll_no_pad` and `top1_no_pad` are fitted and scored on each row
    only up to and including the token that ends it; so are `nats_per_character` and
    `bits_per_byte`.    most_tokens: of the split, as for `scores.scores`
    """
    V = split.tokenizer.num_token_vals
    names = ["uniform", "unigram", *(["bigram"] if V * V <= _MOST_PAIRS else [])]
    scores: dict[str, dict[str, float]] = {name: {} for name in names}
    which = split.evenly(most_tokens)
    for suffix in ("", "_no_pad"):
        paired = "bigram" in scores
        fitted, _ = _counts(train, train.evenly(_MOST_FITTED), padded=not suffix, paired=paired)
        seen, shares = _counts(split, which, padded=not suffix, paired=paired)
        for name in names:
            counts = fitted
            if name != "bigram":
                counts = fitted.sum(axis=0, keepdims=True) * (name == "unigram")
            p = (counts + 1) / (counts.sum(axis=1, keepdims=True) + V)
            likeliest = counts == counts.max(axis=1, keepdims=True)
            hits = likeliest / likeliest.sum(axis=1, keepdims=True)
            nll = float(-(seen * np.log(p)).sum())
            scores[name]["nll" + suffix] = nll / len(which)
            scores[name]["top1" + suffix] = float((shares * hits).sum() / len(which))
    characters, size = (float(seen.sum(axis=0) @ of_id) for of_id in split.tokenizer.sizes)
    for score in scores.values():  # nll is that without padding now
        total = score["nll_no_pad"] * len(which)
        score["nats_per_character"] = total / characters
        score["bits_per_byte"] = total / size / math.log(2)
    return scores


def _counts(split: Split, which: Ids, *, padded: bool, paired: bool) -> tuple[Array, Array]:
    """Counts n(a, b), and the same with each row's pairs weighted to sum to 1.    -> (V, V) twice

    padded: count the pairs in the padding after a row's end as well
    paired: otherwise the counts are n(b).    -> (1, V) twice
    """
    V = split.tokenizer.num_token_vals
    n, shares = np.zeros((2, V * V if paired else V))
    for start in range(0, len(which), _ROWS):
        rows = which[start : start + _ROWS]
        ids, counted = split.whole_batch(rows) if padded else split.batch(rows)
        before, target, mask = ids[:, :-1], ids[:, 1:], counted[:, 1:]
        found = (before * V + target if paired else target)[mask]
        of_row = mask.sum(axis=1)
        n += np.bincount(found, minlength=len(n))
        shares += np.bincount(found, np.repeat(1 / of_row, of_row), minlength=len(n))
    return n.reshape(-1, V), shares.reshape(-1, V)
