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
from minigrad.kernels.compiled.heads import pack, unpack
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.reference.decayed_attention import CHUNK

_HEADS = 32  # side by side: LLVM vectorizes a loop of so many, but not one of 8 or 16


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
    one = q.dtype.type(1)
    tall, wide = (CHUNK, width, _HEADS), (CHUNK, columns, _HEADS)
    qs, ks, ws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    vs, outs = np.zeros(wide, q.dtype), np.zeros(wide, q.dtype)
    s = np.zeros((width, columns, _HEADS), q.dtype)
    for first in range(start, stop, _HEADS):
        last = min(stop, first + _HEADS)
        pack(state, 0, first, last, one, s)
        for t in range(0, positions, CHUNK):
            pack(q, t, first, last, one, qs)
            pack(k, t, first, last, one, ks)
            pack(w, t, first, last, one, ws)
            pack(v, t, first, last, one, vs)
            outs[:] = 0
            for i in range(width):
                for c in range(min(CHUNK, positions - t)):
                    for j in range(columns):
                        for n in range(_HEADS):
                            s[i, j, n] = ws[c, i, n] * s[i, j, n] + ks[c, i, n] * vs[c, j, n]
                            outs[c, j, n] += qs[c, i, n] * s[i, j, n]
            unpack(outs, t, first, last, one, out)
        unpack(s, 0, first, last, one, state)


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
    one = q.dtype.type(1)
    chunks = -(-positions // CHUNK)
    tall, wide = (CHUNK, width, _HEADS), (CHUNK, columns, _HEADS)
    qs, ks, ws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    dqs, dks, dws = np.zeros(tall, q.dtype), np.zeros(tall, q.dtype), np.zeros(tall, q.dtype)
    vs, dvs, douts = np.zeros(wide, q.dtype), np.zeros(wide, q.dtype), np.zeros(wide, q.dtype)
    held = np.zeros((max(chunks, 1), width, columns, _HEADS), q.dtype)  # S before each chunk
    s = np.zeros((CHUNK + 1, columns, _HEADS), q.dtype)  # a row of S before each position
    r = np.zeros((width, columns, _HEADS), q.dtype)
    for first in range(start, stop, _HEADS):
        last = min(stop, first + _HEADS)
        pack(state, 0, first, last, one, held[0])
        for chunk in range(chunks - 1):
            pack(k, chunk * CHUNK, first, last, one, ks)
            pack(w, chunk * CHUNK, first, last, one, ws)
            pack(v, chunk * CHUNK, first, last, one, vs)
            before, after = held[chunk], held[chunk + 1]
            for i in range(width):
                for j in range(columns):
                    for n in range(_HEADS):
                        after[i, j, n] = before[i, j, n]
                    for c in range(CHUNK):
                        for n in range(_HEADS):
                            after[i, j, n] = (
                                ws[c, i, n] * after[i, j, n] + ks[c, i, n] * vs[c, j, n]
                            )
        r[:] = 0
        for chunk in range(chunks - 1, -1, -1):
            t = chunk * CHUNK
            pack(q, t, first, last, one, qs)
            pack(k, t, first, last, one, ks)
            pack(w, t, first, last, one, ws)
            pack(v, t, first, last, one, vs)
            pack(dout, t, first, last, one, douts)
            dqs[:], dks[:], dws[:], dvs[:] = 0, 0, 0, 0
            count = min(CHUNK, positions - t)
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
            unpack(dqs, t, first, last, one, dq)
            unpack(dks, t, first, last, one, dk)
            unpack(dws, t, first, last, one, dw)
            unpack(dvs, t, first, last, one, dv)
