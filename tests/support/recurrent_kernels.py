"""The cases of `tests/minigrad/kernels/test_kernels.py` for what mixers other than attention use.

Each function makes a kernel's arguments with d, a `Draw` of that file, and the bounds of its
results' rounding errors, in units of eps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Array

from minigrad.kernels import reference


def rnn(d: Any, n: int, T: int, w: int) -> Any:
    """The weights are small, so that an error does not grow from token to token."""

    def bound(h: Array, a: Array, h0: Array, w_hh: Array, b_hh: Array) -> Array:
        limit, weight, off = np.zeros_like(h), np.abs(w_hh).T, np.zeros_like(h0)
        for t in range(h.shape[1]):
            before = np.abs(h[:, t - 1] if t else h0)
            terms = np.abs(a[:, t]) + before @ weight + np.abs(b_hh)
            limit[:, t] = off = off @ weight + (w + 4) * terms + 4  # tanh's slope is below 1
        return limit

    w_hh = 0.5 / (w or 1) * d.raw(w, w)
    return (d.normal(n, T, w), d.normal(n, w), d.of(w_hh), d.normal(w)), bound


def rnn_vjp(d: Any, n: int, T: int, w: int) -> Any:
    def bound(da: Array, dh: Array, h: Array, w_hh: Array) -> Array:
        limit, weight = np.zeros_like(h), np.abs(w_hh)
        off = later = np.zeros((n, w))
        for t in reversed(range(h.shape[1])):
            terms = np.abs(dh[:, t]) + later @ weight
            limit[:, t] = off = off @ weight + (w + 8) * terms
            later = np.abs(da[:, t])
        return limit

    w_hh = 0.5 / (w or 1) * d.raw(w, w)
    return (d.normal(n, T, w), d.of(np.tanh(d.raw(n, T, w))), d.of(w_hh)), bound


def gru(d: Any, n: int, T: int, w: int) -> Any:
    def bound(h: Array, gates: Array, a: Array, h0: Array, w_hh: Array, b_hh: Array) -> Any:
        limit, limits = np.zeros_like(h), np.zeros_like(gates)
        weight, off = np.abs(w_hh).T, np.zeros_like(h0)
        for t in range(h.shape[1]):
            before = np.abs(h[:, t - 1] if t else h0)
            off_p = off @ weight + (w + 4) * (before @ weight + np.abs(b_hh))
            _, z, n, p_n = map(np.abs, np.split(gates[:, t], 4, axis=1))
            off_a = off_p + 4 * np.abs(a[:, t])
            off_r, off_z, off_n = np.split(off_a / [[4]] + 4, 3, axis=1)  # sigmoid's slope
            off_pn = off_p[:, 2 * w :]
            off_n = 4 * off_n + off_pn + p_n * (off_r + 2)
            limits[:, t] = np.concatenate([off_r, off_z, off_n, off_pn], axis=1)
            off = z * off + (1 - z) * off_n + (n + before) * (off_z + 4)
            limit[:, t] = off
        return limit, limits

    w_hh = 0.1 / (w or 1) * d.raw(3 * w, w)
    return (d.normal(n, T, 3 * w), d.normal(n, w), d.of(w_hh), d.normal(3 * w)), bound


def gru_vjp(d: Any, n: int, T: int, w: int) -> Any:
    def bound(da: Array, dp: Array, *arrays: Array) -> Any:
        dh, h0, h, gates, w_hh = arrays
        limits, off, later = np.zeros((2, *da.shape)), np.zeros((len(h), w)), np.zeros((len(h), w))
        for t in reversed(range(h.shape[1])):
            _, z, n, p_n = np.split(gates[:, t], 4, axis=1)
            before = h[:, t - 1] if t else h0
            g = np.abs(dh[:, t]) + later
            slope = (1 - z) * (1 - n * n)
            slopes = [np.abs(p_n) * slope, np.abs(before - n) * z * (1 - z), slope]
            each = (off + 12 * g) * (1 + np.abs(p_n) + np.abs(before))
            limits[0, :, t] = np.concatenate([off * s + 12 * each for s in slopes], axis=1)
            limits[1, :, t] = limits[0, :, t]
            back = np.abs(dp[:, t]) @ np.abs(w_hh)
            off = z * off + limits[1, :, t] @ np.abs(w_hh) + (3 * w + 4) * (g * z + back)
            later = g * z + back
        return tuple(limits)

    gates = d.raw(n, T, 4 * w)
    gates[..., : 2 * w] = 1 / (1 + np.exp(-gates[..., : 2 * w]))
    gates[..., 2 * w : 3 * w] = np.tanh(gates[..., 2 * w : 3 * w])
    w_hh = 0.1 / (w or 1) * d.raw(3 * w, w)
    states = d.normal(n, w), d.normal(n, T, w)
    return (d.normal(n, T, w), *states, d.of(gates), d.of(w_hh)), bound


def depthwise_convolution(d: Any, n: int, T: int, w: int) -> Any:
    taps = d.choose((4, 2, 1))
    return (
        d.normal(n, T + taps - 1, w),
        d.normal(taps, w),
        d.normal(w),
    ), lambda y, *arrays: (taps + 1) * reference.depthwise_convolution(*map(np.abs, arrays))


def depthwise_convolution_vjp(d: Any, n: int, T: int, w: int) -> Any:
    taps = d.choose((4, 2, 1))

    def bound(dx: Array, dweight: Array, dbias: Array, *arrays: Array) -> Any:
        sizes = reference.depthwise_convolution_vjp(*map(np.abs, arrays))
        terms = (taps, n * T + 1, n * T)
        return tuple(count * size for count, size in zip(terms, sizes, strict=True))

    return (d.normal(n, T, w), d.normal(n, T + taps - 1, w), d.normal(taps, w)), bound


def token_shift(d: Any, n: int, T: int, w: int) -> Any:
    def bound(y: Array, x: Array, before: Array, mix: Array) -> Array:
        x, before, mix = map(np.abs, (x, before, mix))
        return 4 * (x + mix * (x + np.concatenate([before, x], axis=1)[:, :T]))

    return (d.normal(n, T, w), d.normal(n, 1, w), d.normal(n, T, w)), bound


def token_shift_vjp(d: Any, n: int, T: int, w: int) -> Any:
    def bound(dx: Array, dmix: Array, *arrays: Array) -> Any:
        dy, x, before, mix = map(np.abs, arrays)
        later = np.concatenate([dy * mix, np.zeros((n, 1, w))], axis=1)[:, 1:]
        return 4 * (dy * (1 + mix) + later), 2 * dy * (
            x + np.concatenate([before, x], axis=1)[:, :T]
        )

    return (d.normal(n, T, w), d.normal(n, T, w), d.normal(n, 1, w), d.normal(n, T, w)), bound


def scan(d: Any, n: int, T: int, w: int, v: int) -> tuple[list[Array], float]:
    """u, dt, A, B, C and D; and how far off, relatively, what goes through all tokens may be.

    Each token brings an error of the decay, which is that of its exponent and of two roundings.
    """
    n, strength, w = n % 4, d.choose((1, 0, 100)), d.choose((w, w, 130))  # or groups of channels
    dt, A = d.rng.random((n, T, w)), -strength * d.rng.random((v, w))
    arrays = [d.raw(n, T, w), dt, A, d.raw(n, T, v), d.raw(n, T, v), d.raw(w)]
    return arrays, T * (strength + 8) + v + 8


def selective_scan(d: Any, n: int, T: int, w: int, v: int) -> Any:
    arrays, relative = scan(d, n, T, w, v)
    h0 = d.raw(len(arrays[0]), *arrays[2].shape)

    def bound(*results: Array) -> Any:
        u, dt, A, B, C, D, h0 = results[3:]
        u, dt, B, C, D, h0 = map(np.abs, (u, dt, B, C, D, h0))
        return tuple(relative * r for r in reference.selective_scan(u, dt, A, B, C, D, h0))

    return tuple(map(d.of, (*arrays, h0))), bound


def selective_scan_vjp(d: Any, n: int, T: int, w: int, v: int) -> Any:
    arrays, relative = scan(d, n, T, w, v)
    kept = d.raw(len(arrays[0]), -(-T // 16), *arrays[2].shape)

    def bound(*results: Array) -> Any:
        dy, u, dt, A, B, C, D, kept = results[6:]
        dy, u, dt, B, C, D, kept = map(np.abs, (dy, u, dt, B, C, D, kept))
        du, ddt, *others = reference.selective_scan_vjp(dy, u, dt, A, B, C, D, kept)
        # Of the two terms of ddt that with A is below 0: their sizes are added instead.
        with np.errstate(divide="ignore", invalid="ignore"):
            through_B = np.where(dt > 0, (du - D * dy) / dt * u, 0)
        size = 2 * through_B - ddt
        return tuple((relative + len(u) * T + len(D)) * g for g in (du, size, *others))

    return tuple(map(d.of, (d.raw(*arrays[0].shape), *arrays, kept))), bound


def silu(d: Any, N: int, w: int) -> Any:
    return (d.normal(N, w, scale=3),), lambda y, x: np.abs(y) * (np.abs(x) + 6)


def silu_vjp(d: Any, N: int, w: int) -> Any:
    def bound(dx: Array, x: Array, dy: Array) -> Array:
        s, size = 1 / (1 + np.exp(-x)), np.abs(x)
        return np.abs(dy) * s * (1 + size * (1 - s)) * (2 * size + 10)

    return (d.normal(N, w, scale=3), d.normal(N, w)), bound


def glu(d: Any, N: int, w: int) -> Any:
    def bound(y: Array, x: Array) -> Array:
        return np.abs(y) * (np.abs(x[:, w:]) + 6)

    return (d.normal(N, 2 * w, scale=3),), bound


def glu_vjp(d: Any, N: int, w: int) -> Any:
    def bound(dx: Array, x: Array, dy: Array) -> Array:
        size = np.abs(x[:, w:])
        s = 1 / (1 + np.exp(-x[:, w:]))
        slopes = np.concatenate([s, np.abs(x[:, :w]) * s * (1 - s) + np.abs(x[:, :w]) * s], axis=1)
        return np.tile(np.abs(dy) * (2 * size + 10), 2) * slopes

    return (d.normal(N, 2 * w, scale=3), d.normal(N, w)), bound


def softplus(d: Any, N: int, w: int) -> Any:
    return (d.normal(N, w, scale=3),), lambda y, x: y * (np.abs(x) + 8)


def softplus_vjp(d: Any, N: int, w: int) -> Any:
    arrays = d.normal(N, w, scale=3), d.normal(N, w)
    return arrays, lambda dx, x, dy: np.abs(dx) * (np.abs(x) + 6)


CASES = (
    *(silu, silu_vjp, glu, glu_vjp, softplus, softplus_vjp),
    *(rnn, rnn_vjp, gru, gru_vjp, selective_scan, selective_scan_vjp),
    *(depthwise_convolution, depthwise_convolution_vjp, token_shift, token_shift_vjp),
)
