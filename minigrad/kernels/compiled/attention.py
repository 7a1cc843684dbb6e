"""Causal attention, one sequence and head after the other, in blocks of queries.

Scores are held transposed, keys along the first axis and a block of queries along the second: the
softmax of all queries in the block is then computed side by side, and every product runs along
whole rows of queries. Keys after the block's last query are never looked at.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels import reference
from minigrad.kernels.compiled.blocks import transpose, transpose_back
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.matmul import add_product

_QUERIES = 32  # of a block: more would mean more keys that only some of them see
_FEW = 16  # up to this many queries, as in sampling, a block would be mostly empty


def causal_attention(q, k, v):
    """See the reference."""
    if q.shape[1] <= _FEW:
        return reference.causal_attention(q, k, v)
    q, k, v = plain(q), plain(k), plain(v)
    out, lse = np.empty_like(q), np.empty(q.shape[:2], q.dtype)
    spans = threads.blocks(len(q), q.size * k.shape[1])
    threads.run(_attention, spans, q, k, v, out, lse)
    return out, lse


@jit
def _attention(q, k, v, out, lse, part, start, stop):
    queries, width = q.shape[1:]
    size = _QUERIES
    keys = k.shape[1]
    qt, outt = np.empty((width, size), q.dtype), np.empty((width, size), q.dtype)
    largest, total = np.empty(size, q.dtype), np.empty(size, q.dtype)
    scores = np.empty((keys, size), q.dtype)
    for n in range(start, stop):
        for t in range(0, queries, size):
            count = min(size, queries - t)
            position = t + keys - queries
            s = scores[: position + count]
            transpose(q[n, t : t + size], qt)
            _scores(s, qt, k[n], position)
            _exponentials(s, largest, total)
            outt[:] = 0
            add_product(outt, v[n, : len(s)].T, s)
            for i in range(width):
                for j in range(size):
                    outt[i, j] /= total[j]
            transpose_back(outt, out[n, t : t + size])
            for j in range(count):
                lse[n, t + j] = largest[j] + math.log(total[j])


@jit
def _scores(s, qt, k, position):
    """s = k q^T / sqrt(d), -inf where a key comes after the query.    s: (S, T), qt: (d, T)"""
    scale = s.dtype.type(1 / math.sqrt(len(qt)))
    for i in range(len(qt)):
        for j in range(qt.shape[1]):
            qt[i, j] *= scale
    s[:] = 0
    add_product(s, k[: len(s)], qt)
    for i in range(position + 1, len(s)):
        s[i, : i - position] = -np.inf


@jit
def _exponentials(s, largest, total):
    """s = e^(s - largest), with the largest and the total of each column."""
    largest[:] = -np.inf
    for i in range(len(s)):
        for j in range(s.shape[1]):
            largest[j] = max(largest[j], s[i, j])
    total[:] = 0
    for i in range(len(s)):
        for j in range(s.shape[1]):
            s[i, j] = exp(s[i, j] - largest[j])
            total[j] += s[i, j]


def causal_attention_vjp(dout, q, k, v, out, lse):
    """See the reference."""
    if q.shape[1] <= _FEW:
        return reference.causal_attention_vjp(dout, q, k, v, out, lse)
    dout, q, k, v, out = plain(dout), plain(q), plain(k), plain(v), plain(out)
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    spans = threads.blocks(len(q), q.size * k.shape[1])
    threads.run(_attention_vjp, spans, dout, q, k, v, out, plain(lse), dq, dk, dv)
    return dq, dk, dv


@jit
def _attention_vjp(dout, q, k, v, out, lse, dq, dk, dv, part, start, stop):
    queries, width = q.shape[1:]
    size = _QUERIES
    keys = k.shape[1]
    scale = q.dtype.type(1 / math.sqrt(width))
    qt, doutt = np.empty((width, size), q.dtype), np.empty((width, size), q.dtype)
    dqt = np.empty((width, size), q.dtype)
    scores, dscores = np.empty((keys, size), q.dtype), np.empty((keys, size), q.dtype)
    shift, mean = np.empty(size, q.dtype), np.empty(size, q.dtype)
    for n in range(start, stop):
        for t in range(0, queries, size):
            count = min(size, queries - t)
            position = t + keys - queries
            p, ds = scores[: position + count], dscores[: position + count]
            transpose(q[n, t : t + size], qt)
            transpose(dout[n, t : t + size], doutt)
            shift[:], mean[:] = 0, 0
            for j in range(count):
                shift[j] = lse[n, t + j]
                for d in range(width):
                    mean[j] += dout[n, t + j, d] * out[n, t + j, d]
            _scores(p, qt, k[n], position)
            ds[:] = 0
            add_product(ds, v[n, : len(ds)], doutt)
            _through_softmax(p, ds, shift, mean)
            dqt[:] = 0
            add_product(dqt, k[n, : len(ds)].T, ds)
            for i in range(width):
                for j in range(size):
                    dqt[i, j] *= scale
            transpose_back(dqt, dq[n, t : t + size])
            add_product(dk[n, : len(ds)], ds[:, :count], q[n, t : t + count])
            add_product(dv[n, : len(p)], p[:, :count], dout[n, t : t + count])
        for i in range(keys):
            for d in range(width):
                dk[n, i, d] *= scale


@jit
def _through_softmax(p, ds, lse, mean):
    """From scores and dp to p = e^(scores - lse) and ds = p (dp - mean), in place."""
    for i in range(len(p)):
        for j in range(p.shape[1]):
            p[i, j] = exp(p[i, j] - lse[j])
            ds[i, j] = p[i, j] * (ds[i, j] - mean[j])
