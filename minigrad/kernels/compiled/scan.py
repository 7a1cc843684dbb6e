"""The selective scan: vectors along the channels, the state in cache.

A thread has sequences of its own; or, where there are fewer of these than threads, some channels of
one. The channels' bounds are unsigned: an index that might be negative makes no vectors.
"""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.column_softmax import dot
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.reference.scan import CHUNK

_CHANNELS = 64  # at least so many in a group: shorter loops would not pay


def _groups(batch, width):
    """In how many groups the channels of a sequence are taken: few sequences, several threads."""
    return max(1, min(threads.get_num_threads() // max(batch, 1), width // _CHANNELS))


def selective_scan(u, dt, A, B, C, D, h0):
    """See the reference."""
    (batch, length, width), dtype = u.shape, u.dtype
    y, h = np.empty(u.shape, dtype), np.array(h0, order="C")
    kept = np.empty((batch, -(-length // CHUNK), *A.shape), dtype)
    groups = _groups(batch, width)
    spans = threads.blocks(batch * groups, u.size * len(A))
    team.run(_scan, spans, *map(plain, (u, dt, A, B, C, D)), groups, y, kept, h)
    return y, kept, h


@jit
def _scan(u, dt, A, B, C, D, groups, y, kept, last, part, start, stop):
    states, width = A.shape
    h, added, sums = np.empty_like(A), np.empty(width, u.dtype), np.empty(width, u.dtype)
    for which in range(start, stop):
        b, group = which // groups, which % groups
        low, high = np.uintp(group * width // groups), np.uintp((group + 1) * width // groups)
        _copy(last[b], h, low, high)
        for t in range(u.shape[1]):
            if t % CHUNK == 0:
                _copy(h, kept[b, t // CHUNK], low, high)
            for e in range(low, high):
                added[e] = dt[b, t, e] * u[b, t, e]
                sums[e] = D[e] * u[b, t, e]
            for n in range(states):
                into, out = B[b, t, n], C[b, t, n]
                for e in range(low, high):
                    h[n, e] = exp(dt[b, t, e] * A[n, e]) * h[n, e] + into * added[e]
                    sums[e] += out * h[n, e]
            for e in range(low, high):
                y[b, t, e] = sums[e]
        _copy(h, last[b], low, high)


@jit
def _copy(x, y, low, high):
    for n in range(len(x)):
        for e in range(low, high):
            y[n, e] = x[n, e]


def selective_scan_vjp(dy, u, dt, A, B, C, D, kept):
    """See the reference. Each thread sums dA and dD over its own sequences, each group dB, dC."""
    groups = _groups(len(u), u.shape[2])
    spans = threads.blocks(len(u) * groups, u.size * len(A))
    du, ddt = np.empty(u.shape, u.dtype), np.empty(u.shape, u.dtype)
    dB, dC = np.empty((2, groups, *B.shape), u.dtype)
    dA, dD = np.zeros((len(spans), *A.shape), A.dtype), np.zeros((len(spans), len(D)), D.dtype)
    args = map(plain, (dy, u, dt, A, B, C, D, kept))
    team.run(_scan_vjp, spans, *args, groups, du, ddt, dA, dB, dC, dD)
    return du, ddt, *(part.sum(axis=0) for part in (dA, dB, dC, dD))


@jit
def _scan_vjp(dy, u, dt, A, B, C, D, kept, groups, du, ddt, dA, dB, dC, dD, part, start, stop):
    (states, width), length = A.shape, u.shape[1]
    a, h = np.empty((CHUNK, states, width), u.dtype), np.empty((CHUNK + 1, states, width), u.dtype)
    g, slopes, added = np.empty_like(A), np.zeros_like(A), np.empty((CHUNK, width), u.dtype)
    g_B, exponents = np.empty(width, u.dtype), np.empty(width, u.dtype)
    for which in range(start, stop):
        b, group = which // groups, which % groups
        low, high = np.uintp(group * width // groups), np.uintp((group + 1) * width // groups)
        g[:] = 0
        for chunk in range(kept.shape[1] - 1, -1, -1):
            first = chunk * CHUNK
            count = min(CHUNK, length - first)
            _copy(kept[b, chunk], h[0], low, high)
            for i in range(count):
                for e in range(low, high):
                    added[i, e] = dt[b, first + i, e] * u[b, first + i, e]
                for n in range(states):
                    into = B[b, first + i, n]
                    for e in range(low, high):
                        a[i, n, e] = exp(dt[b, first + i, e] * A[n, e])
                        h[i + 1, n, e] = a[i, n, e] * h[i, n, e] + into * added[i, e]
            for i in range(count - 1, -1, -1):
                t = first + i
                g_B[:] = 0
                exponents[:] = 0
                for n in range(states):
                    into, out = B[b, t, n], C[b, t, n]
                    for e in range(low, high):
                        g[n, e] += out * dy[b, t, e]
                        g_B[e] += into * g[n, e]
                    dC[group, b, t, n] = dot(dy[b, t, low:high], h[i + 1, n, low:high])
                    dB[group, b, t, n] = dot(g[n, low:high], added[i, low:high])
                    for e in range(low, high):
                        g[n, e] *= a[i, n, e]
                        slope = g[n, e] * h[i, n, e]
                        exponents[e] += slope * A[n, e]
                        slopes[n, e] += slope * dt[b, t, e]
                for e in range(low, high):
                    du[b, t, e] = g_B[e] * dt[b, t, e] + D[e] * dy[b, t, e]
                    ddt[b, t, e] = g_B[e] * u[b, t, e] + exponents[e]
                    dD[part, e] += dy[b, t, e] * u[b, t, e]
    _copy(slopes, dA[part], np.uintp(0), np.uintp(width))
