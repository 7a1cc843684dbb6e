"""Attention, one sequence and head after the other, in blocks of queries.

Scores are held transposed, keys along the first axis and a block of queries along the second: the
softmax of all queries in the block is then computed side by side, and every product runs along
whole rows of queries. Keys that no query of the block sees are never read. In memory, positions
come before heads, in arguments and results, as in the layers around this one: nothing is copied.

Of few positions and narrow heads, many heads are computed side by side: few_positions.py has those.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels import reference
from minigrad.kernels.compiled import few_positions, team
from minigrad.kernels.compiled.column_softmax import dot, exponentials, through_softmax
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.product import set_product, transpose
from minigrad.kernels.compiled.tile import VECTOR_BYTES

# Queries in a block: with more, more of the scores would be masked, and computed in vain. Forward
# is best with as many as a tile has columns; backward also sums over them, which fewer slow down.
_QUERIES, _QUERIES_VJP = max(16, VECTOR_BYTES // 2), 32
_FEW = 16  # up to this many queries of more keys, as in sampling, are left to NumPy


def attention(q, k, v, lengths, causal):
    """See the reference."""
    (batch, heads, queries, _), keys = q.shape, k.shape[2]
    if queries <= _FEW < keys:
        return reference.attention(q, k, v, lengths, causal)
    q, k, v = (plain(array.swapaxes(1, 2)) for array in (q, k, v))
    out, lse = np.empty_like(q), np.empty((batch, heads, queries), q.dtype)
    spans = threads.blocks(batch * heads, q.size * keys)
    kernel = few_positions.attention if few_positions.suits(k) else _attention
    team.run(kernel, spans, q, k, v, _lengths(lengths, k), causal, out, lse)
    return out.swapaxes(1, 2), lse


def _lengths(lengths, k):
    return np.full(len(k), k.shape[1]) if lengths is None else plain(lengths)


@jit
def _attention(q, k, v, lengths, causal, out, lse, part, start, stop):
    queries, heads, width = q.shape[1:]
    size = _QUERIES
    keys = k.shape[1]
    scale, one = q.dtype.type(1 / math.sqrt(width)), q.dtype.type(1)
    qt, scores = np.zeros((width, size), q.dtype), np.empty((keys, size), q.dtype)
    largest, total = np.empty(size, q.dtype), np.empty(size, q.dtype)
    columns, zeros = np.arange(size).astype(q.dtype), np.zeros((1, max(size, width)), q.dtype)
    for n in range(start, stop):
        b, h = n // heads, n % heads
        for t in range(0, queries, size):
            now = slice(t, min(queries, t + size))
            position = t + keys - queries
            seen = min(position + now.stop - t, lengths[b]) if causal else lengths[b]
            s = scores[:seen]
            transpose(q[b, now, h], scale, qt)
            set_product(s, zeros, k[b, :seen, h], qt)
            if causal:
                _mask(s[position:], columns)
            exponentials(s, largest, total)
            means = out[b, now, h]
            set_product(means, zeros, s[:, : len(means)].T, v[b, :seen, h])
            for j in range(len(means)):
                lse[b, h, t + j] = largest[j] + math.log(total[j])
                inverse = one / total[j]
                for d in range(width):
                    means[j, d] *= inverse


@jit
def _mask(s, columns):
    """-inf where a key comes after the query.    s: (T, size), the block's own keys

    columns: 0, 1, ... size - 1, of the type of s, so that vectors of both have as many entries.
    """
    for i in range(1, len(s)):
        row = s.dtype.type(i)
        for j in range(s.shape[1]):
            s[i, j] = -np.inf if columns[j] < row else s[i, j]


def attention_vjp(dout, q, k, v, out, lse, lengths, causal):
    """See the reference."""
    if q.shape[2] <= _FEW < k.shape[2]:
        return reference.attention_vjp(dout, q, k, v, out, lse, lengths, causal)
    dout, q, k, v, out = (plain(array.swapaxes(1, 2)) for array in (dout, q, k, v, out))
    dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    spans = threads.blocks(lse.shape[0] * lse.shape[1], q.size * k.shape[1])
    kernel = few_positions.attention_vjp if few_positions.suits(k) else _attention_vjp
    sight = _lengths(lengths, k), causal
    team.run(kernel, spans, dout, q, k, v, out, plain(lse), *sight, dq, dk, dv)
    return dq.swapaxes(1, 2), dk.swapaxes(1, 2), dv.swapaxes(1, 2)


@jit
def _attention_vjp(dout, q, k, v, out, lse, lengths, causal, dq, dk, dv, part, start, stop):
    queries, heads, width = q.shape[1:]
    size = _QUERIES_VJP
    keys = k.shape[1]
    scale, one = q.dtype.type(1 / math.sqrt(width)), q.dtype.type(1)
    qt, doutt = np.zeros((width, size), q.dtype), np.zeros((width, size), q.dtype)
    scores, dscores = np.empty((keys, size), q.dtype), np.empty((keys, size), q.dtype)
    shift, mean = np.zeros((1, size), q.dtype), np.zeros((1, size), q.dtype)
    columns, zeros = np.arange(size).astype(q.dtype), np.zeros((1, max(size, width)), q.dtype)
    for n in range(start, stop):
        b, h = n // heads, n % heads
        final = (queries - 1) // size * size  # where the last block begins, which sees all there is
        for t in range(final, -1, -size):
            now = slice(t, min(queries, t + size))
            count = now.stop - t
            position = t + keys - queries
            seen = min(position + count, lengths[b]) if causal else lengths[b]
            p, ds = scores[:seen], dscores[:seen]
            transpose(q[b, now, h], scale, qt)
            transpose(dout[b, now, h], one, doutt)
            for j in range(count):
                shift[0, j] = -lse[b, h, t + j]
                mean[0, j] = -dot(dout[b, t + j, h], out[b, t + j, h])
            set_product(p, shift, k[b, :seen, h], qt)
            if causal:
                _mask(p[position:], columns)
            set_product(ds, mean, v[b, :seen, h], doutt)
            through_softmax(p.reshape(-1), ds.reshape(-1))
            dq_now = dq[b, now, h]
            set_product(dq_now, zeros, ds[:, :count].T, k[b, :seen, h])
            for j in range(count):
                for d in range(width):
                    dq_now[j, d] *= scale
            dk_seen, dv_seen = dk[b, :seen, h], dv[b, :seen, h]
            set_product(dk_seen, dk_seen if t < final else zeros, ds[:, :count], q[b, now, h])
            set_product(dv_seen, dv_seen if t < final else zeros, p[:, :count], dout[b, now, h])
        for i in range(lengths[b]):
            for d in range(width):
                dk[b, i, h, d] *= scale
        for i in range(lengths[b], keys):
            for d in range(width):
                dk[b, i, h, d] = dv[b, i, h, d] = 0
