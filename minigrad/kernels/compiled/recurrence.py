"""Recurrent networks: one product per token, for all sequences that a thread has."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.compiled.product import set_product
from minigrad.kernels.compiled.silu import sigmoid


def rnn(a, h0, w_hh, b_hh):
    """See the reference."""
    h = np.empty(a.shape, a.dtype)
    spans = threads.blocks(len(a), a.size * len(w_hh))
    args = plain(a), plain(h0), plain(w_hh.T), plain(b_hh)
    team.run(_rnn, spans, *args, h)
    return h


@jit
def _rnn(a, h0, w, b, h, part, start, stop):
    a, h, state = a[start:stop], h[start:stop], h0[start:stop]
    p = np.empty(state.shape, a.dtype)
    for t in range(a.shape[1]):
        set_product(p, b.reshape(1, -1), state, w)
        state = h[:, t]
        for i in range(len(p)):
            for j in range(p.shape[1]):
                state[i, j] = _tanh(a[i, t, j] + p[i, j])


@jit
def _tanh(x):
    one, two = type(x)(1), type(x)(2)
    return one - two / (one + exp(two * x))


def rnn_vjp(dh, h, w_hh):
    """See the reference."""
    da = np.empty(h.shape, h.dtype)
    spans = threads.blocks(len(h), h.size * len(w_hh))
    team.run(_rnn_vjp, spans, plain(dh), plain(h), plain(w_hh), da)
    return da


@jit
def _rnn_vjp(dh, h, w, da, part, start, stop):
    dh, h, da = dh[start:stop], h[start:stop], da[start:stop]
    one = h.dtype.type(1)
    later, zeros = np.zeros((len(h), h.shape[2]), h.dtype), np.zeros((1, h.shape[2]), h.dtype)
    for t in range(h.shape[1] - 1, -1, -1):
        for i in range(len(h)):
            for j in range(h.shape[2]):
                da[i, t, j] = (dh[i, t, j] + later[i, j]) * (one - h[i, t, j] * h[i, t, j])
        set_product(later, zeros, da[:, t], w)


def gru(a, h0, w_hh, b_hh):
    """See the reference."""
    (batch, length, _), width = a.shape, h0.shape[1]
    h = np.empty((batch, length, width), a.dtype)
    gates = np.empty((batch, length, 4 * width), a.dtype)
    spans = threads.blocks(batch, a.size * width)
    args = plain(a), plain(h0), plain(w_hh.T), plain(b_hh)
    team.run(_gru, spans, *args, h, gates)
    return h, gates


@jit
def _gru(a, h0, w, b, h, gates, part, start, stop):
    a, h, gates, state = a[start:stop], h[start:stop], gates[start:stop], h0[start:stop]
    width, one = state.shape[1], a.dtype.type(1)
    p = np.empty((len(a), 3 * width), a.dtype)
    for t in range(a.shape[1]):
        set_product(p, b.reshape(1, -1), state, w)
        for i in range(len(a)):
            a_r, a_z, a_n = a[i, t, :width], a[i, t, width : 2 * width], a[i, t, 2 * width :]
            p_r, p_z, p_n = p[i, :width], p[i, width : 2 * width], p[i, 2 * width :]
            kept = gates[i, t]
            for j in range(width):
                r, z = sigmoid(a_r[j] + p_r[j]), sigmoid(a_z[j] + p_z[j])
                n = _tanh(a_n[j] + r * p_n[j])
                kept[j], kept[width + j], kept[2 * width + j] = r, z, n
                kept[3 * width + j] = p_n[j]
                h[i, t, j] = (one - z) * n + z * state[i, j]
        state = h[:, t]


def gru_vjp(dh, h0, h, gates, w_hh):
    """See the reference."""
    da, dp = np.empty((2, *h.shape[:2], 3 * h.shape[2]), h.dtype)
    spans = threads.blocks(len(h), da.size * h.shape[2])
    args = plain(dh), plain(h0), plain(h), plain(gates), plain(w_hh)
    team.run(_gru_vjp, spans, *args, da, dp)
    return da, dp


@jit
def _gru_vjp(dh, h0, h, gates, w, da, dp, part, start, stop):
    dh, h0, h, gates = dh[start:stop], h0[start:stop], h[start:stop], gates[start:stop]
    da, dp = da[start:stop], dp[start:stop]
    (rows, length, width), one = h.shape, h.dtype.type(1)
    later = np.zeros((rows, width), h.dtype)
    for t in range(length - 1, -1, -1):
        before = h[:, t - 1] if t else h0
        for i in range(rows):
            kept, da_now, dp_now = gates[i, t], da[i, t], dp[i, t]
            for j in range(width):
                r, z, n = kept[j], kept[width + j], kept[2 * width + j]
                g = dh[i, t, j] + later[i, j]
                later[i, j] = g * z
                da_n = g * (one - z) * (one - n * n)
                da_r = da_n * kept[3 * width + j] * r * (one - r)
                da_z = g * (before[i, j] - n) * z * (one - z)
                da_now[j], da_now[width + j], da_now[2 * width + j] = da_r, da_z, da_n
                dp_now[j], dp_now[width + j], dp_now[2 * width + j] = da_r, da_z, da_n * r
        set_product(later, later, dp[:, t], w)
