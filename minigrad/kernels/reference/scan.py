"""The selective scan: a state per channel, decayed and added to as the inputs say."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array

CHUNK = 16  # tokens from one state that is kept to the next


def selective_scan(
    u: Array, dt: Array, A: Array, B: Array, C: Array, D: Array, h0: Array
) -> tuple[Array, Array, Array]:
    """h[t] = e^(dt[t] A) h[t-1] + dt[t] u[t] B[t], y[t] = C[t] h[t] + D u[t].

    u, dt: (B, T, E), A: (N, E), B, C: (B, T, N), D: (E), h0: (B, N, E)
        -> y: (B, T, E), kept: (B, T / CHUNK rounded up, N, E), the states before every chunk, and
        the last state: (B, N, E)
    """
    length = u.shape[1]
    y, h = D * u, h0.copy()
    kept = np.empty((len(u), -(-length // CHUNK), *A.shape), u.dtype)
    for t in range(length):
        if t % CHUNK == 0:
            kept[:, t // CHUNK] = h
        h = _next(h, t, u, dt, A, B)[1]
        y[:, t] += (C[:, t, :, np.newaxis] * h).sum(axis=1)
    return y, kept, h


def selective_scan_vjp(
    dy: Array, u: Array, dt: Array, A: Array, B: Array, C: Array, D: Array, kept: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """With g[t] = C[t] dy[t] + e^(dt[t+1] A) g[t+1], the gradient of h[t], and a = e^(dt A):

    d(dt u) = sum over n of g B, du = d(dt u) dt + D dy,
    ddt = d(dt u) u + sum over n of g h[t-1] a A, dA = sum of g h[t-1] a dt,
    dB = sum over e of g dt u, dC = sum over e of dy h, dD = sum of dy u.
    """
    du, ddt = D * dy, np.zeros_like(dt)
    dA, dB, dC = np.zeros_like(A), np.empty_like(B), np.empty_like(C)
    g = np.zeros((len(u), *A.shape), u.dtype)
    for chunk in reversed(range(kept.shape[1])):
        start, h, a = chunk * CHUNK, [kept[:, chunk]], []
        for t in range(start, min(start + CHUNK, u.shape[1])):
            a_t, h_t = _next(h[-1], t, u, dt, A, B)
            a.append(a_t)
            h.append(h_t)
        for i in reversed(range(len(a))):
            t = start + i
            g += C[:, t, :, np.newaxis] * dy[:, t, np.newaxis]
            dC[:, t] = (h[i + 1] * dy[:, t, np.newaxis]).sum(axis=2)
            dB[:, t] = (g * (dt[:, t] * u[:, t])[:, np.newaxis]).sum(axis=2)
            g_B = (g * B[:, t, :, np.newaxis]).sum(axis=1)
            g *= a[i]
            dexponent = g * h[i]
            du[:, t] += g_B * dt[:, t]
            ddt[:, t] = g_B * u[:, t] + (dexponent * A).sum(axis=1)
            dA += (dexponent * dt[:, t, np.newaxis]).sum(axis=0)
    return du, ddt, dA, dB, dC, (dy * u).sum(axis=(0, 1))


def _next(h: Array, t: int, u: Array, dt: Array, A: Array, B: Array) -> tuple[Array, Array]:
    """e^(dt A) at t, and the state after t.    h: (B, N, E)"""
    a = np.exp(dt[:, t, np.newaxis] * A)
    return a, a * h + (dt[:, t] * u[:, t])[:, np.newaxis] * B[:, t, :, np.newaxis]
