"""Layer norm, row by row."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """y = weight xhat + bias, xhat = (x - mean) rstd, rstd = 1 / sqrt(var + eps), for each row.

    x: (N, D), weight, bias: (D) -> y: (N, D), mean, rstd: (N), (N)
    weight, bias: (G, D): row n has weight[n mod G] and bias[n mod G]
    The mean is that of the differences from the first entry, so that it is exact for a constant
    row; the deviations are scaled down before they are squared, so that no square overflows.
    """
    mean = x[:, 0] + (x - x[:, :1]).mean(axis=1)
    deviation = x - mean[:, None]
    scale = np.maximum(1, np.abs(deviation).max(axis=1))
    scaled = deviation / scale[:, None]
    var = (scaled * scaled).mean(axis=1)
    rstd = 1 / (scale * np.sqrt(var + x.dtype.type(eps) / scale / scale))
    y = (deviation * rstd[:, None]).reshape(-1, *weight.shape) * weight + bias
    return y.reshape(x.shape), mean, rstd


def layer_norm_vjp(
    dy: Array, x: Array, weight: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy weight.

    dweight = sum(dy xhat), dbias = sum(dy). Subtracting the two means removes from g what would
    shift or stretch the whole row, which the norm undoes.
    """
    xhat = (x - mean[:, None]) * rstd[:, None]
    groups = (-1, *weight.shape)
    g = (dy.reshape(groups) * weight).reshape(x.shape)
    dx = g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)
    dweight = (dy * xhat).reshape(groups).sum(axis=0)
    return dx * rstd[:, None], dweight, dy.reshape(groups).sum(axis=0)
