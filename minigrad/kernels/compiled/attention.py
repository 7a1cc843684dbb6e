"""Causal attention: one sequence and head after the other, one query after the other.

Keys are laid out with positions along the rows (d, S), so that one query's scores against all the
keys it sees are d multiply-adds of whole vectors; nothing of size T x S is ever made.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain


def causal_attention(q, k, v):
    """See the reference."""
    q, k, v = plain(q), plain(k), plain(v)
    out, lse = np.empty_like(q), np.empty(q.shape[:2], q.dtype)
    spans = threads.blocks(len(q), q.size * k.shape[1])
    threads.run(_attention, spans, q, k, v, out, lse)
    return out, lse


@jit
def _attention(q, k, v, out, lse, part, start, stop):
    queries, width = q.shape[1:]
    keys = k.shape[1]
    scale = q.dtype.type(1 / math.sqrt(width))
    kt, scores = np.empty((width, keys), q.dtype), np.empty(keys, q.dtype)
    for n in range(start, stop):
        kt[:] = k[n].T
        for t in range(queries):
            seen = t + 1 + keys - queries
            _scores(q[n, t], kt, scale, scores, seen)
            largest = scores[0]
            for s in range(1, seen):
                largest = max(largest, scores[s])
            total = q.dtype.type(0)
            for s in range(seen):
                scores[s] = exp(scores[s] - largest)
            for s in range(seen):
                total += scores[s]
            row = out[n, t]
            row[:] = 0
            for s in range(seen):
                p = scores[s] / total
                for d in range(width):
                    row[d] += p * v[n, s, d]
            lse[n, t] = largest + math.log(total)


@jit
def _scores(query, kt, scale, scores, seen):
    """scores[s] = scale * query . key s, for the first `seen` keys."""
    for s in range(seen):
        scores[s] = 0
    for d in range(query.size):
        c = query[d] * scale
        for s in range(seen):
            scores[s] += c * kt[d, s]


def causal_attention_vjp(dout, q, k, v, out, lse):
    """See the reference."""
    dout, q, k, v, out = plain(dout), plain(q), plain(k), plain(v), plain(out)
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    spans = threads.blocks(len(q), q.size * k.shape[1])
    threads.run(_attention_vjp, spans, dout, q, k, v, out, plain(lse), dq, dk, dv)
    return dq, dk, dv


@jit
def _attention_vjp(dout, q, k, v, out, lse, dq, dk, dv, part, start, stop):
    queries, width = q.shape[1:]
    keys = k.shape[1]
    kind = q.dtype.type
    scale, one = kind(1 / math.sqrt(width)), kind(1)
    kt, vt = np.empty((2, width, keys), q.dtype)
    p, dp = np.empty((2, keys), q.dtype)
    for n in range(start, stop):
        kt[:] = k[n].T
        vt[:] = v[n].T
        for t in range(queries):
            seen = t + 1 + keys - queries
            _scores(q[n, t], kt, scale, p, seen)
            _scores(dout[n, t], vt, one, dp, seen)
            mean = kind(0)
            for d in range(width):
                mean += dout[n, t, d] * out[n, t, d]
            for s in range(seen):
                p[s] = exp(p[s] - lse[n, t])
            row = dq[n, t]
            row[:] = 0
            for s in range(seen):
                ds = p[s] * (dp[s] - mean) * scale
                for d in range(width):
                    row[d] += ds * k[n, s, d]
                    dk[n, s, d] += ds * q[n, t, d]
                    dv[n, s, d] += p[s] * dout[n, t, d]
