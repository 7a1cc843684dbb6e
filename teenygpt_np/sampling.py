"""Sampling: drawing tokens from a model's logits, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.errors import InputError


def choose(
    logits: Array,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Array:
    """Draw from p = softmax(logits / temperature).    logits: (B, V) -> ids (B)

    temperature: 0 takes the likeliest token; below 1 favours likely tokens, above 1 unlikely ones.
    top_k: draw from the k likeliest tokens only.    top_p: draw from the likeliest tokens only, as
    few as have probability p together.

    The draw is the Gumbel-max trick: after independent Gumbel noise is added to each log p, the
    largest sum is at i with probability p_i. So p need not be normalized.

    Raises ValueError for a setting out of range, InputError if a row's largest logit is NaN or
    infinite. A logit of minus infinity is never drawn.

    Source: Gumbel, Statistical Theory of Extreme Values, 1954, in the form of Maddison et al., A*
    Sampling, 2014, section 2, arXiv:1411.0030; top_k: Fan et al., Hierarchical Neural Story
    Generation, 2018, arXiv:1805.04833; top_p: Holtzman et al., The Curious Case of Neural Text
    Degeneration, 2020, arXiv:1904.09751.
    """
    check_settings(temperature, top_k, top_p)
    largest = logits.max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():  # where one is NaN, the maximum is
        raise InputError("the model's logits are NaN or infinite: its weights are too large")
    if temperature == 0:
        ids: Array = logits.argmax(axis=1)
        return ids
    # With a lower temperature the quotient could overflow; this one takes the likeliest already.
    log_p = np.subtract(logits, largest, dtype=np.float64) / max(temperature, 1e-200)
    if top_k is not None or top_p is not None:
        order = np.argsort(-logits, axis=1, kind="stable")
        p = _likeliest(np.exp(log_p), order, top_k or log_p.shape[1], top_p or 1.0)
        log_p[p == 0] = -np.inf
    chosen: Array = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
    return chosen


def _likeliest(p: Array, order: Array, k: int, share: float) -> Array:
    """p, but 0 for all but the first k in `order`, and of these only as many as reach `share`."""
    falling = np.take_along_axis(p, order, axis=1)
    falling[:, k:] = 0
    before = falling.cumsum(axis=1) - falling
    falling[before >= share * falling.sum(axis=1, keepdims=True)] = 0
    kept = np.empty_like(p)
    np.put_along_axis(kept, order, falling, axis=1)
    return kept


def check_settings(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise ValueError for a setting out of range."""
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature is {temperature}, wanted a finite number, 0 or above")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}, wanted at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}, wanted 0 < top_p <= 1")


NextScores = Callable[[Array], Array]


def draw(
    reader: Callable[[], NextScores],
    prompt: Array,
    num_tokens: int,
    batch_size: int,
    end: int | None,
    *,
    rng: np.random.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    most_read: int = sys.maxsize,
) -> Iterator[Array]:
    """Continue a prompt token by token, until every row has ended, or has num_tokens.

    reader: makes a function from the next ids (B, t) of each row to the logits (B, V) of the token
        after them, which remembers all ids that it was given.
    most_read: how many ids it can be given. Then a new one reads the last half as many again.
    prompt: (t) ids.    end: the id that ends a row; None if there is no such id
    -> the next id of each row, (B), again and again; only `end` after a row's first `end`

    Raises ValueError for a prompt that is empty, contains `end` or leaves no room to continue.
    """
    check_settings(temperature, top_k, top_p)
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, wanted at least 1")
    start = len(prompt)
    if not 1 <= start < num_tokens:
        raise ValueError(f"the prompt has {start} tokens, wanted 1..{num_tokens - 1}")
    if end is not None and end in prompt:
        place = prompt.tolist().index(end)
        raise ValueError(f"the prompt has id {end}, which ends a row, at {place}; wanted none")
    ids = np.empty((batch_size, num_tokens), np.int64)
    ids[:, :start] = prompt
    ended, read = np.zeros(batch_size, bool), most_read
    for t in range(start, num_tokens):
        with np.errstate(all="ignore"):  # `choose` notices an overflow in the logits
            if read < most_read:
                new, read = ids[:, t - 1 : t], read + 1
            else:  # at first, and where a reader is full
                read = t if t <= most_read else max(most_read // 2, 1)
                next_scores, new = reader(), ids[:, t - read : t]
            logits = next_scores(new)
            chosen = choose(logits, rng, temperature=temperature, top_k=top_k, top_p=top_p)
        if end is not None:
            chosen[ended] = end
            ended |= chosen == end
        ids[:, t] = chosen
        yield chosen
        if ended.all():
            break


def gathered(drawn: Iterable[Array], prompt: Array, num_tokens: int, end: int | None) -> Array:
    """What `draw` gave, as rows.    -> ids (B, num_tokens), `end` after a row's first `end`"""
    new = np.stack(list(drawn), axis=1)
    ids = np.full((len(new), num_tokens), -1 if end is None else end)
    ids[:, : len(prompt)] = prompt
    ids[:, len(prompt) : len(prompt) + new.shape[1]] = new
    return ids


def fill(
    scores: Callable[[Array, Array], Array],
    ids: Array,
    blanks: Array,
    special: Sequence[int],
    *,
    rng: np.random.Generator,
    **settings: Any,
) -> Array:
    """Fill in blanks one after the other, each by what stands around it then.    -> ids (B, T)

    scores: a function from some rows of ids (N, T), and which ones (N), to the logits (N, T, V) of
        the tokens that stand there.
    blanks: (B, T) bool, from left to right.    special: ids that are never filled in.
    settings: those of `choose`
    """
    ids = ids.copy()
    for t in np.flatnonzero(blanks.any(axis=0)):
        rows = np.flatnonzero(blanks[:, t])
        with np.errstate(all="ignore"):  # `choose` notices an overflow in the logits
            logits = scores(ids[rows], rows)[:, t].copy()
            logits[:, special] = -np.inf
            ids[rows, t] = choose(logits, rng, **settings)
    return ids
