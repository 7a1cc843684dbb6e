"""Decayed attention, one position after the other, many heads side by side.

A head's state is small, so loops over its rows or columns would be short. Here the last axis of
every array is that of heads, of whatever sequences, so that each operation on one entry of a state
is one on vectors. The rows of a state do not depend on each other: one row at a time is taken
through a chunk of positions, and stays in the cache. In memory, positions come before heads, as in
the layers around this one.
"""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit, plain

_HEADS = 32  # side by side: LLVM vectorizes a loop of so many, but not one of 8 or 16
_CHUNK = 16  # positions; backward holds one state for each chunk


def decayed_attention(q, k, v, w, state):
    """See the reference."""
    q, k, v, w = (plain(array.swapaxes(1, 2)) for array in (q, k, v, w))
    out, state = np.empty_like(v), np.array(state.swapaxes(1, 2), order="C")
    spans = threads.blocks(q.shape[0] * q.shape[2], state.size * q.shape[1])
    team.run(_decayed_attention, spans, q, k, v, w, out, state)
    return out.swapaxes(1, 2), state.swapaxes(1, 2)


@jit
def _decayed_attention(q, k, v, w, out, state, part, start, stop):
    positions, width, columns = q.shape[1], q.shape[3], v.shape[3]
    tall, wide = (_CHUNK, width, _HEADS), (_CHUNK, columns, _HEADS)
    qs, ks, ws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    vs, outs = np.zeros(wide, q.dtype), np.zeros(wide, q.dtype)
    s = np.zeros((width, columns, _HEADS), q.dtype)
    for first in range(start, stop, _HEADS):
        last = min(stop, first + _HEADS)
        _pack(state, 0, first, last, s)
        for t in range(0, positions, _CHUNK):
            _pack(q, t, first, last, qs)
            _pack(k, t, first, last, ks)
            _pack(w, t, first, last, ws)
            _pack(v, t, first, last, vs)
            outs[:] = 0
            for i in range(width):
                for c in range(min(_CHUNK, positions - t)):
                    for j in range(columns):
                        for n in range(_HEADS):
                            s[i, j, n] = ws[c, i, n] * s[i, j, n] + ks[c, i, n] * vs[c, j, n]
                            outs[c, j, n] += qs[c, i, n] * s[i, j, n]
            _unpack(outs, t, first, last, out)
        _unpack(s, 0, first, last, state)


def decayed_attention_vjp(dout, q, k, v, w, state):
    """See the reference."""
    dout, q, k, v, w, state = (plain(x.swapaxes(1, 2)) for x in (dout, q, k, v, w, state))
    dq, dk, dv, dw = (np.empty_like(x) for x in (q, k, v, w))
    spans = threads.blocks(q.shape[0] * q.shape[2], state.size * q.shape[1])
    team.run(_decayed_attention_vjp, spans, dout, q, k, v, w, state, dq, dk, dv, dw)
    return dq.swapaxes(1, 2), dk.swapaxes(1, 2), dv.swapaxes(1, 2), dw.swapaxes(1, 2)


@jit
def _decayed_attention_vjp(dout, q, k, v, w, state, dq, dk, dv, dw, part, start, stop):
    positions, width, columns = q.shape[1], q.shape[3], v.shape[3]
    chunks = -(-positions // _CHUNK)
    tall, wide = (_CHUNK, width, _HEADS), (_CHUNK, columns, _HEADS)
    qs, ks, ws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    dqs, dks, dws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    vs, dvs, douts = np.zeros(wide, q.dtype), np.zeros(wide, q.dtype), np.zeros(wide, q.dtype)
    held = np.zeros((max(chunks, 1), width, columns, _HEADS), q.dtype)  # S before each chunk
    s = np.zeros((_CHUNK + 1, columns, _HEADS), q.dtype)  # a row of S before each position
    r = np.zeros((width, columns, _HEADS), q.dtype)
    for first in range(start, stop, _HEADS):
        last = min(stop, first + _HEADS)
        _pack(state, 0, first, last, held[0])
        for chunk in range(chunks - 1):
            _pack(k, chunk * _CHUNK, first, last, ks)
            _pack(w, chunk * _CHUNK, first, last, ws)
            _pack(v, chunk * _CHUNK, first, last, vs)
            before, after = held[chunk], held[chunk + 1]
            for i in range(width):
                for j in range(columns):
                    for n in range(_HEADS):
                        after[i, j, n] = before[i, j, n]
                    for c in range(_CHUNK):
                        for n in range(_HEADS):
                            after[i, j, n] = (
                                ws[c, i, n] * after[i, j, n] + ks[c, i, n] * vs[c, j, n]
                            )
        r[:] = 0
        for chunk in range(chunks - 1, -1, -1):
            t = chunk * _CHUNK
            _pack(q, t, first, last, qs)
            _pack(k, t, first, last, ks)
            _pack(w, t, first, last, ws)
            _pack(v, t, first, last, vs)
            _pack(dout, t, first, last, douts)
            dqs[:], dks[:], dws[:], dvs[:] = 0, 0, 0, 0
            count = min(_CHUNK, positions - t)
            for i in range(width):
                for j in range(columns):
                    for n in range(_HEADS):
                        s[0, j, n] = held[chunk, i, j, n]
                for c in range(count):
                    for j in range(columns):
                        for n in range(_HEADS):
                            x = ws[c, i, n] * s[c, j, n] + ks[c, i, n] * vs[c, j, n]
                            s[c + 1, j, n] = x
                            dqs[c, i, n] += x * douts[c, j, n]
                for c in range(count - 1, -1, -1):
                    for j in range(columns):
                        for n in range(_HEADS):
                            x = r[i, j, n] + qs[c, i, n] * douts[c, j, n]
                            dks[c, i, n] += x * vs[c, j, n]
                            dvs[c, j, n] += x * ks[c, i, n]
                            dws[c, i, n] += x * s[c, j, n]
                            r[i, j, n] = ws[c, i, n] * x
            _unpack(dqs, t, first, last, dq)
            _unpack(dks, t, first, last, dk)
            _unpack(dws, t, first, last, dw)
            _unpack(dvs, t, first, last, dv)


@jit
def _pack(x, t, first, last, packed):
    """packed[c, i, n] = x of position t + c and head first + n.    x: (B, T, H, d)

    Where there are fewer heads, the others hold what was there: nothing that is read comes of them.
    """
    heads = x.shape[2]
    for n in range(last - first):
        b, h = (first + n) // heads, (first + n) % heads
        for c in range(min(len(packed), x.shape[1] - t)):
            for i in range(x.shape[3]):
                packed[c, i, n] = x[b, t + c, h, i]


@jit
def _unpack(packed, t, first, last, x):
    """The reverse."""
    heads = x.shape[2]
    for n in range(last - first):
        b, h = (first + n) // heads, (first + n) % heads
        for c in range(min(len(packed), x.shape[1] - t)):
            for i in range(x.shape[3]):
                x[b, t + c, h, i] = packed[c, i, n]
