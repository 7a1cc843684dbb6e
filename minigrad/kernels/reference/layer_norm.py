"""Layer norm, row by row."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """y = weight xhat + bias, xhat = (x - mean) rstd, rstd = 1 / sqrt(var + eps), for each row.

    x: (N, D), weight, bias: (D) -> y: (N, D), mean, rstd: (N), (N)
    The mean is counted from the first entry, so that no entry of a constant row deviates from it;
    the deviations are squared at a scale at which none overflows.
    """
    mean = x[:, 0] + (x - x[:, :1]).mean(axis=1)
    deviation = x - mean[:, None]
    scale = np.maximum(1, np.abs(deviation).max(axis=1))
    scaled = deviation / scale[:, None]
    var = (scaled * scaled).mean(axis=1)
    rstd = 1 / (scale * np.sqrt(var + x.dtype.type(eps) / scale / scale))
    return deviation * rstd[:, None] * weight + bias, mean, rstd


def layer_norm_vjp(
    dy: Array, x: Array, weight: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy weight.

    dweight = sum(dy xhat), dbias = sum(dy). The two means take
    out of g what would shift or stretch the whole row: the norm undoes both.
    """
    xhat = (x - mean[:, None]) * rstd[:, None]
    g = dy * weight
    dx = g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)
    return dx * rstd[:, None], (dy * xhat).sum(axis=0), dy.sum(axis=0)
