"""Causal attention, one sequence and head after the other, in blocks of queries.

Scores are held transposed, keys along the first axis and a block of queries along the second: the
softmax of all queries in the block is then computed side by side, and every product runs along
whole rows of queries. Keys after the block's last query are never read. In memory, positions come
before heads, in arguments and results, as in the layers around this one: nothing is copied.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels import reference
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.matmul import set_product, transpose

_QUERIES = 32  # in a block: with more, more of the scores would be masked, and computed in vain
_FEW = 16  # up to this many queries, as in sampling, a block would be mostly empty: left to NumPy


def causal_attention(q, k, v):
    """See the reference."""
    if q.shape[2] <= _FEW:
        return reference.causal_attention(q, k, v)
    q, k, v = (plain(array.swapaxes(1, 2)) for array in (q, k, v))
    batch, queries, heads, _ = q.shape
    out, lse = np.empty_like(q), np.empty((batch, heads, queries), q.dtype)
    spans = threads.blocks(batch * heads, q.size * k.shape[1])
    team.run(_attention, spans, q, k, v, out, lse)
    return out.swapaxes(1, 2), lse


@jit
def _attention(q, k, v, out, lse, part, start, stop):
    queries, heads, width = q.shape[1:]
    size = _QUERIES
    keys = k.shape[1]
    qt, scores = np.empty((width, size), q.dtype), np.empty((keys, size), q.dtype)
    largest, total = np.empty(size, q.dtype), np.empty(size, q.dtype)
    zeros = np.zeros((1, max(size, width)), q.dtype)
    for n in range(start, stop):
        b, h = n // heads, n % heads
        for t in range(0, queries, size):
            count = min(size, queries - t)
            position = t + keys - queries
            s = scores[: position + count]
            transpose(q[b, t : t + size, h], qt)
            _scores(s, zeros, qt, k[b, :, h], position)
            _exponentials(s, largest, total)
            means = out[b, t : t + count, h]
            set_product(means, zeros, s[:, :count].T, v[b, : len(s), h])
            for j in range(count):
                for d in range(width):
                    means[j, d] /= total[j]
                lse[b, h, t + j] = largest[j] + math.log(total[j])


@jit
def _scores(s, zeros, qt, k, position):
    """s = k q^T / sqrt(d), -inf where a key comes after the query.    s: (S, T), qt: (d, T)"""
    scale = s.dtype.type(1 / math.sqrt(len(qt)))
    for i in range(len(qt)):
        for j in range(qt.shape[1]):
            qt[i, j] *= scale
    set_product(s, zeros, k[: len(s)], qt)
    for i in range(position + 1, len(s)):
        s[i, : i - position] = -np.inf


@jit
def _exponentials(s, largest, total):
    """s = e^(s - largest), with the largest and the total of each column."""
    largest[:] = -np.inf
    by_four = len(s) // 4 * 4
    for i in range(0, by_four, 4):  # one at a time, each maximum would wait for the one before
        for j in range(s.shape[1]):
            two, others = max(s[i, j], s[i + 1, j]), max(s[i + 2, j], s[i + 3, j])
            largest[j] = max(largest[j], max(two, others))
    for i in range(by_four, len(s)):
        for j in range(s.shape[1]):
            largest[j] = max(largest[j], s[i, j])
    total[:] = 0
    for i in range(len(s)):
        for j in range(s.shape[1]):
            s[i, j] = exp(s[i, j] - largest[j])
            total[j] += s[i, j]


def causal_attention_vjp(dout, q, k, v, out, lse):
    """See the reference."""
    if q.shape[2] <= _FEW:
        return reference.causal_attention_vjp(dout, q, k, v, out, lse)
    dout, q, k, v, out = (plain(array.swapaxes(1, 2)) for array in (dout, q, k, v, out))
    dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    spans = threads.blocks(lse.shape[0] * lse.shape[1], q.size * k.shape[1])
    team.run(_attention_vjp, spans, dout, q, k, v, out, plain(lse), dq, dk, dv)
    return dq.swapaxes(1, 2), dk.swapaxes(1, 2), dv.swapaxes(1, 2)


@jit
def _attention_vjp(dout, q, k, v, out, lse, dq, dk, dv, part, start, stop):
    queries, heads, width = q.shape[1:]
    size = _QUERIES
    keys = k.shape[1]
    scale = q.dtype.type(1 / math.sqrt(width))
    qt, doutt = np.empty((width, size), q.dtype), np.empty((width, size), q.dtype)
    scores, dscores = np.empty((keys, size), q.dtype), np.empty((keys, size), q.dtype)
    shift, mean = np.empty(size, q.dtype), np.empty(size, q.dtype)
    zeros = np.zeros((1, max(size, width)), q.dtype)
    for n in range(start, stop):
        b, h = n // heads, n % heads
        final = (queries - 1) // size * size  # where the last block begins, which sees every key
        for t in range(final, -1, -size):
            count = min(size, queries - t)
            position = t + keys - queries
            p, ds = scores[: position + count], dscores[: position + count]
            now = slice(t, t + count)
            transpose(q[b, now, h], qt)
            transpose(dout[b, now, h], doutt)
            shift[:], mean[:] = 0, 0
            for j in range(count):
                shift[j] = lse[b, h, t + j]
                for d in range(width):
                    mean[j] += dout[b, t + j, h, d] * out[b, t + j, h, d]
            _scores(p, zeros, qt, k[b, :, h], position)
            set_product(ds, zeros, v[b, : len(ds), h], doutt)
            _through_softmax(p, ds, shift, mean)
            dq_now = dq[b, now, h]
            set_product(dq_now, zeros, ds[:, :count].T, k[b, : len(ds), h])
            for j in range(count):
                for d in range(width):
                    dq_now[j, d] *= scale
            dk_seen, dv_seen = dk[b, : len(ds), h], dv[b, : len(p), h]
            set_product(dk_seen, dk_seen if t < final else zeros, ds[:, :count], q[b, now, h])
            set_product(dv_seen, dv_seen if t < final else zeros, p[:, :count], dout[b, now, h])
        for i in range(keys):
            for d in range(width):
                dk[b, i, h, d] *= scale


@jit
def _through_softmax(p, ds, lse, mean):
    """From scores and dp to p = e^(scores - lse) and ds = p (dp - mean), in place."""
    for i in range(len(p)):
        for j in range(p.shape[1]):
            p[i, j] = exp(p[i, j] - lse[j])
            ds[i, j] = p[i, j] * (ds[i, j] - mean[j])
