"""Convolutions along the tokens, each channel by itself; and one whose two taps each token has."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def depthwise_convolution(x: Array, weight: Array, bias: Array) -> Array:
    """y[t] = bias + sum over k of weight[k] x[t + k].

    x: (B, T + K - 1, E), weight: (K, E), bias: (E) -> y: (B, T, E)
    """
    length = x.shape[1] - len(weight) + 1
    y = np.zeros((len(x), length, x.shape[2]), x.dtype) + bias
    for k, w in enumerate(weight):
        y += w * x[:, k : k + length]
    return y


def depthwise_convolution_vjp(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """dx[t + k] is the sum of weight[k] dy[t], dweight[k] that of dy[t] x[t + k], dbias of dy."""
    length = dy.shape[1]
    dx, dweight = np.zeros(x.shape, x.dtype), np.empty(weight.shape, x.dtype)
    for k, w in enumerate(weight):
        dx[:, k : k + length] += w * dy
        dweight[k] = (dy * x[:, k : k + length]).sum(axis=(0, 1))
    return dx, dweight, dy.sum(axis=(0, 1))


def token_shift(x: Array, before: Array, mix: Array) -> Array:
    """y[t] = x[t] + (x[t-1] - x[t]) mix[t].    x, mix, y: (B, T, D), before, x[-1]: (B, 1, D)"""
    return x + (_earlier(x, before) - x) * mix


def token_shift_vjp(dy: Array, x: Array, before: Array, mix: Array) -> tuple[Array, Array]:
    """dx[t] = dy[t] (1 - mix[t]) + dy[t+1] mix[t+1], dmix[t] = dy[t] (x[t-1] - x[t])."""
    dx = dy * (1 - mix)
    dx[:, :-1] += dy[:, 1:] * mix[:, 1:]
    return dx, dy * (_earlier(x, before) - x)


def _earlier(x: Array, before: Array) -> Array:
    """x[t-1]"""
    return np.concatenate([before, x], axis=1)[:, :-1]
