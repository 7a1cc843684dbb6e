"""Attention."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.reference.array import Array


def attention(
    q: Array, k: Array, v: Array, lengths: Array | None, causal: bool
) -> tuple[Array, Array]:
    """out = softmax(q k^T / sqrt(d), masked) v.

    q: (B, H, T, d), k, v: (B, H, S, d)
        -> out: (B, H, T, d), lse: (B, H, T), the logarithm of each softmax's denominator
    lengths: (B), how many keys of a sequence are seen, at least 1; None: all
    causal: each query sees only keys not later than itself; the queries are the last T of S >= T
    """
    k, v = _seen(k, lengths), _seen(v, lengths)
    scores = _scores(q, k, lengths, causal)
    largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - largest)
    total = e.sum(axis=-1, keepdims=True)
    return (e / total) @ v, (largest + np.log(total))[..., 0]


def attention_vjp(
    dout: Array,
    q: Array,
    k: Array,
    v: Array,
    out: Array,
    lse: Array,
    lengths: Array | None,
    causal: bool,
) -> tuple[Array, Array, Array]:
    """dv = p^T dout, ds = p (dp - sum(dp p)), dp = dout v^T.

    dq = ds k / sqrt(d), dk = ds^T q / sqrt(d). p is computed again from lse,
    and sum(dp p) is sum(dout out): nothing of size T x S was kept.
    """
    k, v = _seen(k, lengths), _seen(v, lengths)
    scale = 1 / math.sqrt(q.shape[-1])
    p = np.exp(_scores(q, k, lengths, causal) - lse[..., None])
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (dout * out).sum(axis=-1, keepdims=True)) * scale
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dout


def _seen(x: Array, lengths: Array | None) -> Array:
    """Keys or values with 0 for those that are not seen, which may hold anything."""
    if lengths is None:
        return x
    return np.where((np.arange(x.shape[2]) < lengths[:, None])[:, None, :, None], x, 0)


def _scores(q: Array, k: Array, lengths: Array | None, causal: bool) -> Array:
    scores = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]))
    queries, keys = scores.shape[-2:]
    if causal:
        later = np.arange(keys) > np.arange(queries)[:, None] + keys - queries
        scores[..., later] = -np.inf
    if lengths is not None:
        hidden = (np.arange(keys) >= lengths[:, None])[:, None, None]
        scores[np.broadcast_to(hidden, scores.shape)] = -np.inf
    return scores
