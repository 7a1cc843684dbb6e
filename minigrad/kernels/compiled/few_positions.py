"""Attention over few positions, many heads side by side.

With some nine positions, as names have, a block of queries would be mostly empty, and its products
too small for a tile. Here the last axis of every array is that of heads, of whatever sequences, so
that each operation on one position's numbers is one on vectors. No key after a query is touched
where attention is causal; where heads have padding of different lengths, what it holds is
replaced by 0, and its scores by -inf.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.compiled.column_softmax import dot, exponentials, through_softmax
from minigrad.kernels.compiled.heads import head, pack, unpack
from minigrad.kernels.compiled.jit import jit

_HEADS = 32  # side by side: more would not fit into the cache, fewer would make short loops


@jit
def attention(q, k, v, lengths, causal, out, lse, part, start, stop):
    """As the reference, positions before heads, of heads start:stop of all sequences."""
    (queries, heads, width), keys = q.shape[1:], k.shape[1]
    lse = lse.reshape(lse.shape[0] * lse.shape[1], queries)
    one = q.dtype.type(1)
    for first in range(start, stop, _HEADS):
        last = min(stop, first + _HEADS)
        count = last - first
        packed_q = _packed(q, first, last, q.dtype.type(1 / math.sqrt(width)))
        packed_k, packed_v = _packed(k, first, last, one), _packed(v, first, last, one)
        ends = _lengths_of_heads(lengths, heads, first, last)
        fewest = ends.min()
        _fill_padding(packed_k, ends, 0)
        _fill_padding(packed_v, ends, 0)
        scores, means = np.empty((keys, count), q.dtype), np.empty((width, count), q.dtype)
        largest, total = np.empty(count, q.dtype), np.empty(count, q.dtype)
        zeros = np.zeros(count, q.dtype)
        for t in range(queries):
            p = scores[: t + keys - queries + 1 if causal else keys]
            _set_scores(p, zeros, packed_k, packed_q[t])
            if fewest < len(p):
                _fill_padding(p.reshape(len(p), 1, count), ends, -np.inf)
            exponentials(p, largest, total)
            _set_means(means, p, packed_v)
            for n in range(count):
                lse[first + n, t] = largest[n] + math.log(total[n])
                inverse = one / total[n]
                mean = head(out, first + n, queries)[t]
                for d in range(width):
                    mean[d] = means[d, n] * inverse


@jit
def attention_vjp(dout, q, k, v, out, lse, lengths, causal, dq, dk, dv, part, start, stop):
    """As the reference, positions before heads, of heads start:stop of all sequences."""
    (queries, heads, width), keys = q.shape[1:], k.shape[1]
    lse = lse.reshape(lse.shape[0] * lse.shape[1], queries)
    scale, one = q.dtype.type(1 / math.sqrt(width)), q.dtype.type(1)
    for first in range(start, stop, _HEADS):
        last = min(stop, first + _HEADS)
        count = last - first
        packed_q, packed_dout = _packed(q, first, last, scale), _packed(dout, first, last, one)
        packed_k, packed_v = _packed(k, first, last, one), _packed(v, first, last, one)
        ends = _lengths_of_heads(lengths, heads, first, last)
        fewest = ends.min()
        _fill_padding(packed_k, ends, 0)
        _fill_padding(packed_v, ends, 0)
        packed_dq = np.empty_like(packed_q)
        packed_dk, packed_dv = np.zeros_like(packed_k), np.zeros_like(packed_v)
        scores, dscores = np.empty((keys, count), q.dtype), np.empty((keys, count), q.dtype)
        shift, mean = np.empty(count, q.dtype), np.empty(count, q.dtype)
        for t in range(queries):
            for n in range(count):
                shift[n] = -lse[first + n, t]
                mean[n] = -dot(head(dout, first + n, queries)[t], head(out, first + n, queries)[t])
            seen = t + keys - queries + 1 if causal else keys
            p, ds = scores[:seen], dscores[:seen]
            _set_scores(p, shift, packed_k, packed_q[t])
            if fewest < seen:
                _fill_padding(p.reshape(seen, 1, count), ends, -np.inf)
            _set_scores(ds, mean, packed_v, packed_dout[t])
            through_softmax(p.reshape(-1), ds.reshape(-1))
            _set_means(packed_dq[t], ds, packed_k)
            _add_products(packed_dk, ds, packed_q[t])
            _add_products(packed_dv, p, packed_dout[t])
        _fill_padding(packed_dk, ends, 0)
        _fill_padding(packed_dv, ends, 0)
        unpack(packed_dq, queries, 0, first, last, scale, dq)
        unpack(packed_dk, keys, 0, first, last, one, dk)  # q has brought the scale
        unpack(packed_dv, keys, 0, first, last, one, dv)


@jit
def _packed(x, first, last, scale):
    """scale * x of these heads, which stand along the last axis.    -> (T, d, last - first)"""
    packed = np.empty((x.shape[1], x.shape[3], last - first), x.dtype)
    pack(x, x.shape[1], 0, first, last, scale, scale, packed)
    return packed


@jit
def _lengths_of_heads(lengths, heads, first, last):
    """How many keys each of these heads sees: as many as its sequence has."""
    ends = np.empty(last - first, np.int64)
    for n in range(len(ends)):
        ends[n] = lengths[(first + n) // heads]
    return ends


@jit
def _fill_padding(x, ends, value):
    """x[i, :, n] = value where head n sees no key i.    x: (S, C, heads)"""
    for n in range(len(ends)):
        for i in range(ends[n], len(x)):
            for c in range(x.shape[1]):
                x[i, c, n] = value


@jit
def _set_scores(s, start, k, q):
    """s[i] = start + sum_d k[i, d] q[d], the sum first, rounded as forward has rounded it"""
    for i in range(len(s)):
        for n in range(s.shape[1]):
            s[i, n] = 0
        for d in range(len(q)):
            for n in range(s.shape[1]):
                s[i, n] += k[i, d, n] * q[d, n]
        for n in range(s.shape[1]):
            s[i, n] += start[n]


@jit
def _set_means(means, p, v):
    """means[d] = sum_i p[i] v[i, d]"""
    for d in range(len(means)):
        for n in range(means.shape[1]):
            means[d, n] = 0
        for i in range(len(p)):
            for n in range(means.shape[1]):
                means[d, n] += p[i, n] * v[i, d, n]


@jit
def _add_products(dv, p, dout):
    """dv[i, d] += p[i] dout[d]"""
    for i in range(len(p)):
        for d in range(len(dout)):
            for n in range(p.shape[1]):
                dv[i, d, n] += p[i, n] * dout[d, n]
