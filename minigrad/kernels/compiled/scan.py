"""The selective scan, sequence after sequence: vectors along the channels, the state in cache."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.column_softmax import dot
from minigrad.kernels.compiled.exp import exp
from minigrad.kernels.compiled.jit import jit, plain
from minigrad.kernels.reference.scan import CHUNK


def selective_scan(u, dt, A, B, C, D, h0):
    """See the reference."""
    (batch, length, _), dtype = u.shape, u.dtype
    y, h = np.empty(u.shape, dtype), np.array(h0, order="C")
    kept = np.empty((batch, -(-length // CHUNK), *A.shape), dtype)
    spans = threads.blocks(batch, u.size * len(A))
    team.run(_scan, spans, *map(plain, (u, dt, A, B, C, D)), y, kept, h)
    return y, kept, h


@jit
def _scan(u, dt, A, B, C, D, y, kept, last, part, start, stop):
    states, width = A.shape
    h, added, sums = np.empty_like(A), np.empty(width, u.dtype), np.empty(width, u.dtype)
    for b in range(start, stop):
        _copy(last[b], h)
        for t in range(u.shape[1]):
            if t % CHUNK == 0:
                _copy(h, kept[b, t // CHUNK])
            for e in range(width):
                added[e] = dt[b, t, e] * u[b, t, e]
                sums[e] = D[e] * u[b, t, e]
            for n in range(states):
                into, out = B[b, t, n], C[b, t, n]
                for e in range(width):
                    h[n, e] = exp(dt[b, t, e] * A[n, e]) * h[n, e] + into * added[e]
                    sums[e] += out * h[n, e]
            for e in range(width):
                y[b, t, e] = sums[e]
        _copy(h, last[b])


@jit
def _copy(x, y):
    for n in range(len(x)):
        for e in range(x.shape[1]):
            y[n, e] = x[n, e]


def selective_scan_vjp(dy, u, dt, A, B, C, D, kept):
    """See the reference. Each thread sums dA and dD over its own sequences."""
    spans = threads.blocks(len(u), u.size * len(A))
    du, ddt, dB, dC = (np.empty(x.shape, x.dtype) for x in (u, u, B, B))
    dA, dD = np.zeros((len(spans), *A.shape), A.dtype), np.zeros((len(spans), len(D)), D.dtype)
    args = map(plain, (dy, u, dt, A, B, C, D, kept))
    team.run(_scan_vjp, spans, *args, du, ddt, dA, dB, dC, dD)
    return du, ddt, dA.sum(axis=0), dB, dC, dD.sum(axis=0)


@jit
def _scan_vjp(dy, u, dt, A, B, C, D, kept, du, ddt, dA, dB, dC, dD, part, start, stop):
    (states, width), length = A.shape, u.shape[1]
    a, h = np.empty((CHUNK, states, width), u.dtype), np.empty((CHUNK + 1, states, width), u.dtype)
    g, slopes, added = np.empty_like(A), np.zeros_like(A), np.empty((CHUNK, width), u.dtype)
    g_B, exponents = np.empty(width, u.dtype), np.empty(width, u.dtype)
    for b in range(start, stop):
        g[:] = 0
        for chunk in range(kept.shape[1] - 1, -1, -1):
            first = chunk * CHUNK
            count = min(CHUNK, length - first)
            _copy(kept[b, chunk], h[0])
            for i in range(count):
                for e in range(width):
                    added[i, e] = dt[b, first + i, e] * u[b, first + i, e]
                for n in range(states):
                    into = B[b, first + i, n]
                    for e in range(width):
                        a[i, n, e] = exp(dt[b, first + i, e] * A[n, e])
                        h[i + 1, n, e] = a[i, n, e] * h[i, n, e] + into * added[i, e]
            for i in range(count - 1, -1, -1):
                t = first + i
                g_B[:] = 0
                exponents[:] = 0
                for n in range(states):
                    into, out = B[b, t, n], C[b, t, n]
                    for e in range(width):
                        g[n, e] += out * dy[b, t, e]
                        g_B[e] += into * g[n, e]
                    dC[b, t, n] = dot(dy[b, t], h[i + 1, n])
                    dB[b, t, n] = dot(g[n], added[i])
                    for e in range(width):
                        g[n, e] *= a[i, n, e]
                        slope = g[n, e] * h[i, n, e]
                        exponents[e] += slope * A[n, e]
                        slopes[n, e] += slope * dt[b, t, e]
                for e in range(width):
                    du[b, t, e] = g_B[e] * dt[b, t, e] + D[e] * dy[b, t, e]
                    ddt[b, t, e] = g_B[e] * u[b, t, e] + exponents[e]
                    dD[part, e] += dy[b, t, e] * u[b, t, e]
    _copy(slopes, dA[part])
