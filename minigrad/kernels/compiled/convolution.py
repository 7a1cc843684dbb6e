"""Convolutions along the tokens and the token shift: vectors along the channels."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit, plain


def depthwise_convolution(x, weight, bias):
    """See the reference."""
    y = np.empty((len(x), x.shape[1] - len(weight) + 1, x.shape[2]), x.dtype)
    spans = threads.blocks(len(x), x.size * len(weight))
    team.run(_convolution, spans, plain(x), plain(weight), plain(bias), y)
    return y


@jit
def _convolution(x, weight, bias, y, part, start, stop):
    for b in range(start, stop):
        for t in range(y.shape[1]):
            for e in range(y.shape[2]):
                y[b, t, e] = bias[e]
            for k in range(len(weight)):
                for e in range(y.shape[2]):
                    y[b, t, e] += weight[k, e] * x[b, t + k, e]


def depthwise_convolution_vjp(dy, x, weight):
    """See the reference. Each thread sums dweight and dbias over its own sequences."""
    spans = threads.blocks(len(x), x.size * len(weight))
    dx = np.zeros(x.shape, x.dtype)
    dweight = np.zeros((len(spans), *weight.shape), x.dtype)
    dbias = np.zeros((len(spans), x.shape[2]), x.dtype)
    team.run(_convolution_vjp, spans, plain(dy), plain(x), plain(weight), dx, dweight, dbias)
    return dx, dweight.sum(axis=0), dbias.sum(axis=0)


@jit
def _convolution_vjp(dy, x, weight, dx, dweight, dbias, part, start, stop):
    for b in range(start, stop):
        for t in range(dy.shape[1]):
            for k in range(len(weight)):
                for e in range(dy.shape[2]):
                    dx[b, t + k, e] += weight[k, e] * dy[b, t, e]
                    dweight[part, k, e] += dy[b, t, e] * x[b, t + k, e]
            for e in range(dy.shape[2]):
                dbias[part, e] += dy[b, t, e]


def token_shift(x, before, mix):
    """See the reference."""
    y = np.empty(x.shape, x.dtype)
    spans = threads.blocks(x.shape[0] * x.shape[1], x.size)
    team.run(_token_shift, spans, plain(x), plain(before), plain(mix), y)
    return y


@jit
def _token_shift(x, before, mix, y, part, start, stop):
    for row in range(start, stop):
        b, t = row // x.shape[1], row % x.shape[1]
        earlier = x[b, t - 1] if t else before[b, 0]
        for e in range(x.shape[2]):
            y[b, t, e] = x[b, t, e] + (earlier[e] - x[b, t, e]) * mix[b, t, e]


def token_shift_vjp(dy, x, before, mix):
    """See the reference."""
    dx, dmix = np.empty((2, *x.shape), x.dtype)
    spans = threads.blocks(x.shape[0] * x.shape[1], x.size)
    team.run(_token_shift_vjp, spans, *map(plain, (dy, x, before, mix)), dx, dmix)
    return dx, dmix


@jit
def _token_shift_vjp(dy, x, before, mix, dx, dmix, part, start, stop):
    one = x.dtype.type(1)
    for row in range(start, stop):
        b, t = row // x.shape[1], row % x.shape[1]
        earlier = x[b, t - 1] if t else before[b, 0]
        for e in range(x.shape[2]):
            dx[b, t, e] = dy[b, t, e] * (one - mix[b, t, e])
            dmix[b, t, e] = dy[b, t, e] * (earlier[e] - x[b, t, e])
        if t + 1 < x.shape[1]:
            for e in range(x.shape[2]):
                dx[b, t, e] += dy[b, t + 1, e] * mix[b, t + 1, e]
