"""Decayed attention, one position after the other, many lanes side by side.

A head's state is small, so loops over its rows or columns would be short. Here the last axis of
every array is that of lanes: heads, of whatever sequences, or segments of them. So each operation
on one entry of a state is one on vectors. The rows of a state do not depend on each other: one row
at a time is taken through a chunk of positions, and stays in the cache. In memory, positions come
before heads, as in the layers around this one.

Where there are too few heads to fill the lanes, long sequences are cut into segments. The state
after each is (the product of all w) * S + S', with S the state before it and S' what it would leave
if that was 0. The products and the S' of all segments are computed side by side. So it is with R on
the way back, from the last segment to the first.
"""

from __future__ import annotations

import itertools

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.heads import pack, unpack
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.reference.decayed_attention import CHUNK

_LANES = 32  # side by side: LLVM vectorizes a loop of so many, but not one of 8 or 16
_SEGMENT = 8 * CHUNK  # positions in a segment, at least


def decayed_attention(q, k, v, w, u, state):
    """See the reference."""
    q, k, v, w, state = (plain(x.swapaxes(1, 2)) for x in (q, k, v, w, state))
    u = None if u is None else plain(u)
    length = _segment_length(w)
    states, out = _starts(k, v, w, length, state, False), np.empty_like(v)
    team.run(_decayed_attention, _spans(states, length), q, k, v, w, u, length, out, states)
    count = _segments(q.shape[1], length)
    return out.swapaxes(1, 2), states[count - 1 :: count].swapaxes(1, 2)


@jit
def _decayed_attention(q, k, v, w, u, length, out, states, part, start, stop):
    width, columns, heads = q.shape[3], v.shape[3], q.shape[2]
    zero, one = q.dtype.type(0), q.dtype.type(1)
    tall, wide = (CHUNK, width, _LANES), (CHUNK, columns, _LANES)
    qs, ks, ws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    vs, outs = np.zeros(wide, q.dtype), np.zeros(wide, q.dtype)
    s = np.zeros((width, columns, _LANES), q.dtype)
    us, p = np.zeros((width, _LANES), q.dtype), np.zeros(_LANES, q.dtype)
    for first in range(start, stop, _LANES):
        last = min(stop, first + _LANES)
        pack(states, width, 0, first, last, one, zero, s)
        if u is not None:
            _pack_weights(u, heads, first, last, us)
        for t in range(0, length, CHUNK):
            pack(q, length, t, first, last, one, zero, qs)
            pack(k, length, t, first, last, one, zero, ks)
            pack(w, length, t, first, last, one, one, ws)  # after the end the state stays
            pack(v, length, t, first, last, one, zero, vs)
            outs[:] = 0
            count = min(CHUNK, length - t)
            for i in range(width):
                for c in range(count):
                    for j in range(columns):
                        for n in range(_LANES):
                            before = s[i, j, n]
                            s[i, j, n] = ws[c, i, n] * before + ks[c, i, n] * vs[c, j, n]
                            outs[c, j, n] += qs[c, i, n] * (s[i, j, n] if u is None else before)
            if u is not None:
                for c in range(count):
                    _own_weight(qs[c], us, ks[c], p)
                    for j in range(columns):
                        for n in range(_LANES):
                            outs[c, j, n] += p[n] * vs[c, j, n]
            unpack(outs, length, t, first, last, one, out)
        unpack(s, width, 0, first, last, one, states)


def decayed_attention_vjp(dout, q, k, v, w, u, state):
    """See the reference."""
    dout, q, k, v, w, state = (plain(x.swapaxes(1, 2)) for x in (dout, q, k, v, w, state))
    u = None if u is None else plain(u)
    length = _segment_length(w)
    states = _starts(k, v, w, length, state, False)
    # Without u, what q_t adds to R decays at t; with u it does not.
    added = q if u is not None or len(states) == len(q) else q * w
    ends = _starts(added, dout, w, length, np.zeros_like(state), True)
    dq, dk, dv, dw = (np.empty_like(x) for x in (q, k, v, w))
    spans = _spans(states, length)
    du = None if u is None else np.zeros((len(spans), *u.shape), u.dtype)
    args = dout, q, k, v, w, u, length, states, ends
    team.run(_decayed_attention_vjp, spans, *args, dq, dk, dv, dw, du)
    grads = [x.swapaxes(1, 2) for x in (dq, dk, dv, dw)]
    return *grads, None if du is None else du.sum(axis=0)


@jit
def _decayed_attention_vjp(
    dout, q, k, v, w, u, length, states, ends, dq, dk, dv, dw, du, part, start, stop
):
    width, columns, heads = q.shape[3], v.shape[3], q.shape[2]
    zero, one = q.dtype.type(0), q.dtype.type(1)
    chunks = max(1, -(-length // CHUNK))
    tall, wide = (CHUNK, width, _LANES), (CHUNK, columns, _LANES)
    qs, ks, ws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    dqs, dks, dws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    vs, dvs, douts = np.zeros(wide, q.dtype), np.zeros(wide, q.dtype), np.zeros(wide, q.dtype)
    held = np.zeros((chunks, width, columns, _LANES), q.dtype)  # S before each chunk
    s = np.zeros((CHUNK + 1, columns, _LANES), q.dtype)  # a row of S before each position
    r = np.zeros((width, columns, _LANES), q.dtype)
    us, dus = np.zeros((width, _LANES), q.dtype), np.zeros((width, _LANES), q.dtype)
    p, dp = np.zeros(_LANES, q.dtype), np.zeros(_LANES, q.dtype)
    for first in range(start, stop, _LANES):
        last = min(stop, first + _LANES)
        pack(states, width, 0, first, last, one, zero, held[0])
        pack(ends, width, 0, first, last, one, zero, r)
        if u is not None:
            _pack_weights(u, heads, first, last, us)
        for chunk in range(chunks - 1):
            pack(k, length, chunk * CHUNK, first, last, one, zero, ks)
            pack(w, length, chunk * CHUNK, first, last, one, one, ws)
            pack(v, length, chunk * CHUNK, first, last, one, zero, vs)
            held[chunk + 1] = held[chunk]
            _go_on(ks, vs, ws, False, held[chunk + 1])
        for chunk in range(chunks - 1, -1, -1):
            t = chunk * CHUNK
            pack(q, length, t, first, last, one, zero, qs)
            pack(k, length, t, first, last, one, zero, ks)
            pack(w, length, t, first, last, one, one, ws)
            pack(v, length, t, first, last, one, zero, vs)
            pack(dout, length, t, first, last, one, zero, douts)
            dqs[:], dks[:], dws[:], dvs[:] = 0, 0, 0, 0
            count = min(CHUNK, length - t)
            for i in range(width):
                for j in range(columns):
                    for n in range(_LANES):
                        s[0, j, n] = held[chunk, i, j, n]
                for c in range(count):
                    for j in range(columns):
                        for n in range(_LANES):
                            x = ws[c, i, n] * s[c, j, n] + ks[c, i, n] * vs[c, j, n]
                            s[c + 1, j, n] = x
                            dqs[c, i, n] += (x if u is None else s[c, j, n]) * douts[c, j, n]
                for c in range(count - 1, -1, -1):
                    for j in range(columns):
                        for n in range(_LANES):
                            new = qs[c, i, n] * douts[c, j, n]
                            x = r[i, j, n] + new if u is None else r[i, j, n]
                            dks[c, i, n] += x * vs[c, j, n]
                            dvs[c, j, n] += x * ks[c, i, n]
                            dws[c, i, n] += x * s[c, j, n]
                            r[i, j, n] = ws[c, i, n] * x + (zero if u is None else new)
            if u is not None:
                for c in range(count):
                    _own_weight(qs[c], us, ks[c], p)
                    dp[:] = 0
                    for j in range(columns):
                        for n in range(_LANES):
                            dvs[c, j, n] += p[n] * douts[c, j, n]
                            dp[n] += douts[c, j, n] * vs[c, j, n]
                    for i in range(width):
                        for n in range(_LANES):
                            dqs[c, i, n] += dp[n] * us[i, n] * ks[c, i, n]
                            dks[c, i, n] += dp[n] * us[i, n] * qs[c, i, n]
                            dus[i, n] += dp[n] * qs[c, i, n] * ks[c, i, n]
            unpack(dqs, length, t, first, last, one, dq)
            unpack(dks, length, t, first, last, one, dk)
            unpack(dws, length, t, first, last, one, dw)
            unpack(dvs, length, t, first, last, one, dv)
        if u is not None:
            for n in range(last - first):
                for i in range(width):
                    du[part, (first + n) % heads, i] += dus[i, n]
            dus[:] = 0


@jit
def _pack_weights(u, heads, first, last, us):
    """us[:, n] = u of the head that lane n belongs to."""
    for n in range(last - first):
        for i in range(len(us)):
            us[i, n] = u[(first + n) % heads, i]


@jit
def _own_weight(q, u, k, p):
    """p = sum over i of q u k: the weight of a position's own v.    q, u, k: (d, lanes)"""
    for n in range(len(p)):
        p[n] = 0
    for i in range(len(q)):
        for n in range(len(p)):
            p[n] += q[i, n] * u[i, n] * k[i, n]


@jit(inline="always")  # or LLVM could not know that s is none of the others, and make vectors
def _go_on(ks, vs, ws, backwards, s):
    """s = w * s + k v^T for the positions of a chunk, one after the other."""
    for i in range(len(s)):
        for j in range(s.shape[1]):
            for m in range(CHUNK):
                c = CHUNK - 1 - m if backwards else m
                for n in range(_LANES):
                    s[i, j, n] = ws[c, i, n] * s[i, j, n] + ks[c, i, n] * vs[c, j, n]


# -- segments --------------------------------------------------------------------------------------


def _segment_length(w):
    """Positions of a segment: all, or fewer where the heads do not fill the lanes of two threads.

    w: (B, T, H, d); the product of many above 1 might overflow, and infinity times 0 is no number.
    Not by the number of threads, so that any number of them gives the same bits.
    """
    batch, positions, heads, _ = w.shape
    count = min(2 * _LANES // max(batch * heads, 1), positions // _SEGMENT)
    if count < 2 or not w.max(initial=0) <= 1:
        return positions
    return -(-positions // (count * CHUNK)) * CHUNK


def _segments(positions, length):
    return -(-positions // length) if length else 1


def _spans(states, length):
    """The lanes of each thread.    states: of all segments, (segments, d, H, e)"""
    return threads.blocks(states.shape[0] * states.shape[2], states.size * length)


def _starts(k, v, w, length, first, backwards):
    """S before each segment, as S = w * S + k v^T goes on from `first`; or R, from the last one on.

    k, w: (B, T, H, d), v: (B, T, H, e), first: (B, d, H, e) -> (B segments, d, H, e)
    """
    batch, positions, *_ = k.shape
    count = _segments(positions, length)
    starts = np.empty((batch, count, *first.shape[1:]), k.dtype)
    order = range(count)[::-1] if backwards else range(count)
    starts[:, order[0]] = first
    if count > 1:
        ends = np.empty_like(starts)
        decays = np.empty((*ends.shape[:-1], 1), k.dtype)
        flat = [x.reshape(batch * count, *x.shape[2:]) for x in (ends, decays)]
        team.run(_set_ends, _spans(flat[0], length), k, v, w, length, backwards, *flat)
        for before, segment in itertools.pairwise(order):
            starts[:, segment] = decays[:, before] * starts[:, before] + ends[:, before]
    return starts.reshape(batch * count, *starts.shape[2:])


@jit
def _set_ends(k, v, w, length, backwards, ends, decays, part, start, stop):
    """The state after each segment, if it was 0 before, and the product of its decays."""
    width, columns = k.shape[3], v.shape[3]
    zero, one = k.dtype.type(0), k.dtype.type(1)
    tall, wide = (CHUNK, width, _LANES), (CHUNK, columns, _LANES)
    ks, ws, vs = np.zeros(tall, k.dtype), np.zeros(tall, k.dtype), np.zeros(wide, k.dtype)
    s = np.zeros((width, columns, _LANES), k.dtype)
    product = np.zeros((width, 1, _LANES), k.dtype)
    chunks = length // CHUNK
    for first in range(start, stop, _LANES):
        last = min(stop, first + _LANES)
        s[:], product[:] = 0, 1
        for m in range(chunks):
            t = CHUNK * (chunks - 1 - m if backwards else m)
            pack(k, length, t, first, last, one, zero, ks)
            pack(v, length, t, first, last, one, zero, vs)
            pack(w, length, t, first, last, one, one, ws)
            _go_on(ks, vs, ws, backwards, s)
            for c in range(CHUNK):
                for i in range(width):
                    for n in range(_LANES):
                        product[i, 0, n] *= ws[c, i, n]
        unpack(s, width, 0, first, last, one, ends)
        unpack(product, width, 0, first, last, one, decays)
