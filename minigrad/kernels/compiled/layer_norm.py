"""Layer norm, row by row."""

from __future__ import annotations

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit, plain


def layer_norm(x, weight, bias, eps):
    """See the reference."""
    x = plain(x)
    y = np.empty_like(x)
    mean, rstd = np.empty((2, len(x)), x.dtype)
    spans = threads.blocks(len(x), x.size)
    weight, bias = (plain(a).reshape(-1, x.shape[1]) for a in (weight, bias))
    args = weight, bias, x.dtype.type(eps), y, mean, rstd
    team.run(_layer_norm, spans, x, *args)
    return y, mean, rstd


@jit
def _layer_norm(x, weight, bias, eps, y, mean, rstd, part, start, stop):
    for n in range(start, stop):
        group = n % len(weight)
        mean[n], rstd[n] = norm_row(x, n, weight[group], bias[group], eps, y)


@jit
def norm_row(x, n, weight, bias, eps, y):
    """y_n = weight (x_n - mean) rstd + bias for row n; returns its mean and rstd. y may be x."""
    width = x.shape[1]
    scale = x.dtype.type(1 / width)
    first, total = x[n, 0], x.dtype.type(0)
    for d in range(width):
        total += x[n, d] - first
    mean = first + total * scale
    total = x.dtype.type(0)
    for d in range(width):
        deviation = x[n, d] - mean
        total += deviation * deviation
    rstd = x.dtype.type(1 / np.sqrt(total * scale + eps))
    if total == np.inf:
        rstd = _rstd_of_large(x[n], mean, eps)
    for d in range(width):
        y[n, d] = (x[n, d] - mean) * rstd * weight[d] + bias[d]
    return mean, rstd


@jit
def _rstd_of_large(row, mean, eps):
    """1 / sqrt(var + eps) where the squares of the deviations overflow."""
    largest, total = row.dtype.type(0), row.dtype.type(0)
    for d in range(row.size):
        largest = max(largest, abs(row[d] - mean))
    for d in range(row.size):
        scaled = (row[d] - mean) / largest
        total += scaled * scaled
    return row.dtype.type(1 / (largest * np.sqrt(total / row.size + eps / largest / largest)))


def layer_norm_vjp(dy, x, weight, mean, rstd):
    """See the reference. Each thread sums dweight and dbias over its own rows."""
    dy, x = plain(dy), plain(x)
    dx = np.empty_like(x)
    spans = threads.blocks(len(x), x.size)
    rows = plain(weight).reshape(-1, x.shape[1])
    dweight, dbias = np.zeros((2, len(spans), *rows.shape), x.dtype)
    args = x, rows, plain(mean), plain(rstd), dx, dweight, dbias
    team.run(_layer_norm_vjp, spans, dy, *args)
    return dx, *(parts.sum(axis=0).reshape(weight.shape) for parts in (dweight, dbias))


@jit
def _layer_norm_vjp(dy, x, weight, mean, rstd, dx, dweight, dbias, part, start, stop):
    width = x.shape[1]
    zero, scale = x.dtype.type(0), x.dtype.type(1 / max(width, 1))
    g = np.empty(width, x.dtype)  # stored, so rounded: fused, a product less its mean is not 0
    for n in range(start, stop):
        m, r, group = mean[n], rstd[n], n % len(weight)
        dw, db = dweight[part, group], dbias[part, group]
        mean_g, mean_g_xhat = zero, zero
        for d in range(width):
            g[d] = dy[n, d] * weight[group, d]
        # Sums in a loop of their own: one that stores as well is vectorized only where the arrays
        # do not overlap, which is checked at run time, and the order of the sums would vary.
        for d in range(width):
            mean_g += g[d]
            mean_g_xhat += g[d] * ((x[n, d] - m) * r)
        mean_g *= scale
        mean_g_xhat *= scale
        for d in range(width):
            xhat = (x[n, d] - m) * r
            dx[n, d] = (g[d] - mean_g - xhat * mean_g_xhat) * r
            dw[d] += dy[n, d] * xhat
            db[d] += dy[n, d]
