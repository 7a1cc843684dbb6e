"""Attention over few positions by narrow heads, each head in a lane of the vectors.

Narrow heads make products too small for a tile, and few positions blocks of queries that are mostly
empty. Here the last axis of every array is that of heads, of whatever sequences, so that each
operation on one number is one on vectors. A block has few queries, so few keys after a query are
touched where attention is causal; these scores, and those of padding, are replaced by -inf, and
what padding holds by 0. Positions and widths are filled up with zeros to what the products need.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.compiled.column_softmax import exponentials, through_softmax
from minigrad.kernels.compiled.heads import pack, unpack
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.lanes import SIDE, set_products
from minigrad.kernels.compiled.tile import VECTOR_BYTES

_QUERIES = 2 * SIDE  # in a block
_NEAR = 320 << 10  # bytes of the keys in all lanes: with more, a core's own cache is too small


def suits(k):
    """Whether this kernel is faster than blocks of one head are.    k: (B, S, H, d)"""
    return k.shape[1] * k.shape[3] * VECTOR_BYTES <= _NEAR


@jit
def attention(q, k, v, lengths, causal, out, lse, part, start, stop):
    """As the reference, positions before heads, of heads start:stop of all sequences."""
    (queries, heads, width), keys = q.shape[1:], k.shape[1]
    lse = lse.reshape(lse.shape[0] * lse.shape[1], queries)
    scale, one, zero = q.dtype.type(1 / math.sqrt(width)), q.dtype.type(1), q.dtype.type(0)
    packed_q, means = _packed(q), _packed(q)
    packed_k, packed_v = _packed(k), _packed(k)
    lanes = packed_q.shape[2]
    scores = np.empty((len(packed_k), _QUERIES, lanes), q.dtype)
    largest, total = np.empty(_QUERIES * lanes, q.dtype), np.empty(_QUERIES * lanes, q.dtype)
    for first in range(start, stop, lanes):
        last = min(stop, first + lanes)
        ends = _lengths_of_heads(lengths, heads, first, last)
        for x, to, factor in ((q, packed_q, scale), (k, packed_k, one), (v, packed_v, one)):
            pack(x, x.shape[1], 0, first, last, factor, zero, to[:, :width])
        _fill_padding(packed_k, ends, zero)
        _fill_padding(packed_v, ends, zero)
        for t in range(0, queries, _QUERIES):
            seen = _seen(t, queries, keys, causal)
            p = scores[:seen]
            by_query, of_keys = p.transpose((1, 0, 2)), packed_v[:seen].transpose((1, 0, 2))
            block = slice(t, t + _QUERIES, 1)
            set_products(by_query, packed_q[block], packed_k[:seen:1], False)
            _mask(p, t + keys - queries, causal, ends)
            exponentials(p.reshape(seen, _QUERIES * lanes), largest, total)
            set_products(means[block], by_query, of_keys, False)
            for r in range(min(_QUERIES, queries - t)):
                for n in range(last - first):
                    lse[first + n, t + r] = largest[r * lanes + n] + math.log(total[r * lanes + n])
                for d in range(width):
                    for n in range(lanes):
                        means[t + r, d, n] /= total[r * lanes + n]
        unpack(means, queries, 0, first, last, one, out)


@jit
def attention_vjp(dout, q, k, v, out, lse, lengths, causal, dq, dk, dv, part, start, stop):
    """As the reference, positions before heads, of heads start:stop of all sequences."""
    (queries, heads, width), keys = q.shape[1:], k.shape[1]
    lse = lse.reshape(lse.shape[0] * lse.shape[1], queries)
    scale, one, zero = q.dtype.type(1 / math.sqrt(width)), q.dtype.type(1), q.dtype.type(0)
    packed_q, packed_dout, packed_dq = _packed(q), _packed(q), _packed(q)
    packed_k, packed_v, packed_dk, packed_dv = _packed(k), _packed(k), _packed(k), _packed(k)
    lanes = packed_q.shape[2]
    scores = np.empty((len(packed_k), _QUERIES, lanes), q.dtype)
    dscores = np.empty_like(scores)
    shift = np.zeros((len(packed_q), lanes), q.dtype)
    mean = np.zeros((len(packed_q), lanes), q.dtype)
    for first in range(start, stop, lanes):
        last = min(stop, first + lanes)
        ends = _lengths_of_heads(lengths, heads, first, last)
        for x, to, factor in ((q, packed_q, scale), (dout, packed_dout, one)):
            pack(x, queries, 0, first, last, factor, zero, to[:, :width])
        for x, to in ((k, packed_k), (v, packed_v)):
            pack(x, keys, 0, first, last, one, zero, to[:, :width])
        _fill_padding(packed_k, ends, zero)
        _fill_padding(packed_v, ends, zero)
        packed_dk[:], packed_dv[:] = 0, 0
        pack(out, queries, 0, first, last, one, zero, packed_dq[:, :width])
        for t in range(queries):
            _set_minus_dots(mean[t], packed_dout[t], packed_dq[t])
            for n in range(last - first):
                shift[t, n] = -lse[first + n, t]
        for t in range(0, queries, _QUERIES):
            block = slice(t, t + _QUERIES, 1)
            seen = _seen(t, queries, keys, causal)
            p, ds = scores[:seen], dscores[:seen]
            for i in range(seen):
                p[i], ds[i] = shift[block], mean[block]
            by_query, dby_query = p.transpose((1, 0, 2)), ds.transpose((1, 0, 2))
            set_products(by_query, packed_q[block], packed_k[:seen:1], True)
            _mask(p, t + keys - queries, causal, ends)
            set_products(dby_query, packed_dout[block], packed_v[:seen:1], True)
            through_softmax(p.reshape(-1), ds.reshape(-1))
            set_products(packed_dq[block], dby_query, packed_k[:seen].transpose((1, 0, 2)), False)
            of_q, of_dout = packed_q[block], packed_dout[block]
            set_products(packed_dk[:seen:1], ds[::1], of_q.transpose((1, 0, 2)), True)
            set_products(packed_dv[:seen:1], p[::1], of_dout.transpose((1, 0, 2)), True)
        _fill_padding(packed_dk, ends, zero)
        _fill_padding(packed_dv, ends, zero)
        unpack(packed_dq, queries, 0, first, last, scale, dq)
        unpack(packed_dk, keys, 0, first, last, one, dk)  # q has brought the scale
        unpack(packed_dv, keys, 0, first, last, one, dv)


@jit
def _packed(x):
    """Zeros for x of as many heads as a vector has lanes.    x: (B, T, H, d)"""
    length, width = -(-x.shape[1] // _QUERIES) * _QUERIES, -(-x.shape[3] // SIDE) * SIDE
    return np.zeros((length, width, VECTOR_BYTES // x.itemsize), x.dtype)


@jit
def _set_minus_dots(minus, x, y):
    """minus[n] = -sum over d of x[d, n] y[d, n]"""
    minus[:] = 0
    for d in range(len(x)):
        for n in range(len(minus)):
            minus[n] -= x[d, n] * y[d, n]


@jit
def _seen(t, queries, keys, causal):
    """How many keys a block of queries sees, and SIDE - 1 more at most."""
    seen = min(keys, t + _QUERIES + keys - queries) if causal else keys
    return -(-seen // SIDE) * SIDE


@jit
def _mask(s, position, causal, ends):
    """-inf where a query sees no key.    s: (S, queries, heads), position: of the first query"""
    for r in range(s.shape[1] if causal else 0):
        for i in range(position + r + 1, len(s)):
            s[i, r] = -np.inf
    if ends.min() < len(s):
        _fill_padding(s, ends, -np.inf)


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
