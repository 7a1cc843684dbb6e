"""Drawing tokens from a model's scores, one after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minigrad import Array
from teenygpt_np.errors import InputError


def choose(
    scores: Array,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Array:
    """Draw from p = softmax(scores / temperature).    scores: (B, V) -> ids (B)

    temperature: 0 takes the likeliest. Below 1 favours what is likely, above 1 what is not.
    top_k: draw from the k likeliest only. top_p: from the fewest that reach probability p together.

    With noise of Gumbel's distribution added to the logarithm of each p, the largest sum is at i
    with probability p_i: there is nothing to normalize.

    Source: Gumbel, Statistical Theory of Extreme Values, 1954, in the form of Maddison et al., A*
    Sampling, 2014, section 2; for top_p Holtzman et al., The Curious Case of Neural Text
    Degeneration, 2020.

    Raises InputError where a row's largest score is NaN or infinite; minus infinity among others is
    never drawn.
    """
    check_settings(temperature, top_k, top_p)
    largest = scores.max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():  # NaN among them is their maximum
        raise InputError("the model's scores are NaN or infinite: its weights are too large")
    if temperature == 0:
        ids: Array = scores.argmax(axis=1)
        return ids
    # A temperature below this takes the likeliest as well; the quotient would overflow.
    log_p = np.subtract(scores, largest, dtype=np.float64) / max(temperature, 1e-200)
    if top_k is not None or top_p is not None:
        order = np.argsort(-scores, axis=1, kind="stable")
        p = _likeliest(np.exp(log_p), order, top_k or log_p.shape[1], top_p or 1.0)
        log_p[p == 0] = -np.inf
    chosen: Array = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
    return chosen


def _likeliest(p: Array, order: Array, k: int, share: float) -> Array:
    """p, with 0 for all but the first k in order, and of these the fewest that reach the share."""
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


def generate(
    next_scores: Callable[[Array], Array],
    prompt: Array,
    num_tokens: int,
    batch_size: int,
    end: int | None,
    *,
    rng: np.random.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Array:
    """Continue a prompt until every row has ended, or is num_tokens long.

    next_scores: a function from the ids (B, t) that come next to the scores (B, V) of the token
        after them; it remembers all ids it was given.
    prompt: (t) ids.    end: the id that ends a row, None for no such id
    -> ids (B, num_tokens), only `end` behind a row's first `end`

    Raises ValueError for a prompt that is empty, has ended or leaves no room to continue.
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
    ids = np.full((batch_size, num_tokens), -1 if end is None else end)
    ids[:, :start] = prompt
    come, ended = ids[:, :start], np.zeros(batch_size, bool)
    with np.errstate(all="ignore"):  # what overflows is noticed in the scores
        for t in range(start, num_tokens):
            scores = next_scores(come)
            chosen = choose(scores, rng, temperature=temperature, top_k=top_k, top_p=top_p)
            if end is not None:
                chosen[ended] = end
                ended |= chosen == end
            ids[:, t] = chosen
            if ended.all():
                break
            come = ids[:, t : t + 1]
    return ids
