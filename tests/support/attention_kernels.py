"""The cases of `tests/minigrad/kernels/test_kernels.py` for attention, with and without a softmax.

Each function makes a kernel's arguments with d, a `Draw` of that file, and the bounds of its
results' rounding errors, in units of eps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from cases import Array

from minigrad.kernels import reference


def sequences(d: Any, n: int, T: int, w: int) -> list[Any]:
    """q, k, v, lengths, causal; all of the keys' positions may have a query, or only the last."""
    n, keys = n % 4, T + d.choose((0, 1, 17, 256))  # sequences are alike: a few will do
    heads = d.choose((1, 3, 7))  # together more than a vector has lanes, or fewer
    arrays = [d.raw(n, heads, T, w), d.raw(n, heads, keys, w), d.raw(n, heads, keys, w)]
    lengths = d.ids(n, 1, keys + 1) if keys and d.choose((False, True)) else None
    return [*arrays, lengths, not keys or d.choose((True, False))]


def weights(
    q: Array, k: Array, lse: Array, lengths: Array | None, causal: bool
) -> tuple[Array, Array]:
    """The p of attention, and how far the scores of each row, its exponents, may be off."""
    queries, keys, width = q.shape[2], k.shape[2], q.shape[3]
    k, scale = k.swapaxes(2, 3), 1 / math.sqrt(width or 1)
    seen = np.tri(queries, keys, keys - queries if causal else keys)
    if lengths is not None:
        seen = seen * (np.arange(keys) < lengths[:, None])[:, None, None]
    off = (width + 6) * scale * (np.abs(q) @ np.abs(k)).max(3, keepdims=True, initial=0)
    return seen * np.exp(seen * (q @ k * scale - lse[..., None])), off


def attention(d: Any, n: int, T: int, w: int) -> Any:
    *arrays, lengths, causal = sequences(d, n, T, w)

    def bound(out: Array, lse: Array, q: Array, k: Array, v: Array, *sight: Any) -> Any:
        p, relative = weights(q, k, lse, *sight)
        relative += 2 * k.shape[2] + 6
        return p @ np.abs(v) * relative, relative[..., 0] + np.abs(lse)

    return (*map(d.of, arrays), lengths, causal), bound


def attention_vjp(d: Any, n: int, T: int, w: int) -> Any:
    q, k, v, lengths, causal = sequences(d, n, T, w)
    arrays = [d.raw(*q.shape), q, k, v, *reference.attention(q, k, v, lengths, causal)]

    def bound(*arrays: Any) -> Any:
        dout, q, k, v, out, lse, *sight = arrays[3:]
        p, relative = weights(q, k, lse, *sight)
        relative += np.abs(lse)[..., None] + 6
        dout, q, k, v, out = map(np.abs, (dout, q, k, v, out))
        ds = p * (dout @ v.swapaxes(2, 3) + (dout * out).sum(3, keepdims=True)) / math.sqrt(w or 1)
        ds = ds * (relative + 2 * w + k.shape[2])
        return ds @ k, ds.swapaxes(2, 3) @ q, (p * (relative + T)).swapaxes(2, 3) @ dout

    return (*map(d.of, arrays), lengths, causal), bound


def decayed(d: Any, n: int, T: int, w: int, e: int) -> list[Any]:
    """q, k, v, decays between 0 and 1, u or None, a state; more heads than a vector holds, or few.

    Few heads and many positions are cut into segments.
    """
    n, heads = n % 4, d.choose((11, 1, 3))
    T = d.choose((T, T, T + 256))
    tall, wide = (n, heads, T, w), (n, heads, T, e)
    decays = d.choose((0.1, 1, 100)) * d.raw(*tall)
    u, state = d.choose((None, d.raw(heads, w))), d.raw(n, heads, w, e)
    return [d.raw(*tall), d.raw(*tall), d.raw(*wide), np.exp(-np.abs(decays)), u, state]


def absolute(arrays: Any) -> list[Any]:
    return [None if array is None else np.abs(array) for array in arrays]


def decayed_attention(d: Any, n: int, T: int, w: int, e: int) -> Any:
    def bound(*arrays: Any) -> Any:
        out, state = reference.decayed_attention(*absolute(arrays[2:]))
        T = arrays[2].shape[2]
        return (2 * T + 2 * w + 4) * out, (2 * T + 2) * state

    return tuple([a if a is None else d.of(a) for a in decayed(d, n, T, w, e)]), bound


def decayed_attention_vjp(d: Any, n: int, T: int, w: int, e: int) -> Any:
    inputs = decayed(d, n, T, w, e)
    inputs = [d.raw(*inputs[2].shape), *inputs]

    def bound(*arrays: Any) -> Any:  # a state and its gradient are sums of up to 2 T roundings
        dq, dk, dv, dw, du = reference.decayed_attention_vjp(*absolute(arrays[-7:]))
        T = inputs[0].shape[2]
        bounds = (2 * T + e) * dq, (2 * T + e) * dk, (2 * T + w) * dv, (4 * T + e) * dw
        return bounds if du is None else (*bounds, (n * T + e + 3) * du)

    return tuple([a if a is None else d.of(a) for a in inputs]), bound


CASES = (attention, attention_vjp, decayed_attention, decayed_attention_vjp)
