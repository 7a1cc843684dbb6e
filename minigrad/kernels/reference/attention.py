"""Causal attention."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.reference.array import Array


def causal_attention(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    """out = softmax(q k^T / sqrt(d), each query seeing only keys not later than itself) v.

    q: (B, H, T, d), k, v: (B, H, S, d), S >= T: the queries are the last T of S positions
        -> out: (B, H, T, d), lse: (B, H, T), the logarithm of each softmax's denominator
    """
    scores = _causal_scores(q, k)
    largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - largest)
    total = e.sum(axis=-1, keepdims=True)
    return (e / total) @ v, (largest + np.log(total))[..., 0]


def causal_attention_vjp(
    dout: Array, q: Array, k: Array, v: Array, out: Array, lse: Array
) -> tuple[Array, Array, Array]:
    """dv = p^T dout, ds = p (dp - sum(dp p)), dp = dout v^T.

    dq = ds k / sqrt(d), dk = ds^T q / sqrt(d). p is computed again from lse,
    and sum(dp p) is sum(dout out): nothing of size T x S was kept.
    """
    scale = 1 / math.sqrt(q.shape[-1])
    p = np.exp(_causal_scores(q, k) - lse[..., None])
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (dout * out).sum(axis=-1, keepdims=True)) * scale
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dout


def _causal_scores(q: Array, k: Array) -> Array:
    scores = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]))
    queries, keys = scores.shape[-2:]
    later = np.arange(keys) > np.arange(queries)[:, None] + keys - queries
    scores[..., later] = -np.inf
    return scores
