"""Recurrent networks, token after token."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array
from minigrad.kernels.reference.silu import sigmoid


def rnn(a: Array, h0: Array, w_hh: Array, b_hh: Array) -> Array:
    """h[t] = tanh(a[t] + h[t-1] w_hh^T + b_hh).

    a: (B, T, D), h0: (B, D), w_hh: (D, D), b_hh: (D) -> h: (B, T, D)
    """
    h = np.empty_like(a, order="C")
    state = h0
    for t in range(a.shape[1]):
        h[:, t] = state = np.tanh(a[:, t] + state @ w_hh.T + b_hh)
    return h


def rnn_vjp(dh: Array, h: Array, w_hh: Array) -> Array:
    """da[t] = (dh[t] + da[t+1] w_hh) (1 - h[t]^2), which is also the gradient of the product."""
    da = np.empty_like(h, order="C")
    later = np.zeros(h.shape[::2], h.dtype)
    for t in reversed(range(h.shape[1])):
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t] * h[:, t])
        later = da[:, t] @ w_hh
    return da


def gru(a: Array, h0: Array, w_hh: Array, b_hh: Array) -> tuple[Array, Array]:
    """h[t] = (1 - z) n + z h[t-1], n = tanh(a_n + r p_n), with p = h[t-1] w_hh^T + b_hh.

    r and z are the sigmoids of a_r + p_r and a_z + p_z; a, p and w_hh have parts r, z, n.

    a: (B, T, 3D), h0: (B, D), w_hh: (3D, D), b_hh: (3D)
        -> h: (B, T, D), gates: (B, T, 4D), which are r, z, n and p_n
    """
    (batch, length, _), width = a.shape, h0.shape[1]
    h, gates = (
        np.empty((batch, length, width), a.dtype),
        np.empty((batch, length, 4, width), a.dtype),
    )
    state = h0
    for t in range(length):
        a_r, a_z, a_n = a[:, t].reshape(batch, 3, width).swapaxes(0, 1)
        p_r, p_z, p_n = (state @ w_hh.T + b_hh).reshape(batch, 3, width).swapaxes(0, 1)
        r, z = sigmoid(a_r + p_r), sigmoid(a_z + p_z)
        n = np.tanh(a_n + r * p_n)
        h[:, t] = state = (1 - z) * n + z * state
        gates[:, t] = np.stack([r, z, n, p_n], axis=1)
    return h, gates.reshape(batch, length, 4 * width)


def gru_vjp(dh: Array, h0: Array, h: Array, gates: Array, w_hh: Array) -> tuple[Array, Array]:
    """da and dp; they differ in the part of n only, where dp_n = da_n r.

    g = dh[t] + what comes back from t + 1, which is g z + dp w_hh there;
    da_n = g (1 - z) (1 - n^2), da_r = da_n p_n r (1 - r), da_z = g (h[t-1] - n) z (1 - z).
    """
    batch, length, width = h.shape
    da, dp = np.empty((2, batch, length, 3 * width), h.dtype)
    later = np.zeros_like(h0)
    for t in reversed(range(length)):
        r, z, n, p_n = gates[:, t].reshape(batch, 4, width).swapaxes(0, 1)
        g = dh[:, t] + later
        before = h[:, t - 1] if t else h0
        da_n = g * (1 - z) * (1 - n * n)
        da_r, da_z = da_n * p_n * r * (1 - r), g * (before - n) * z * (1 - z)
        da[:, t] = np.concatenate([da_r, da_z, da_n], axis=1)
        dp[:, t] = np.concatenate([da_r, da_z, da_n * r], axis=1)
        later = g * z + dp[:, t] @ w_hh
    return da, dp
