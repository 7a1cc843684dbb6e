"""Operations that bring the numbers along an axis to a common scale."""

from __future__ import annotations

from numpy.lib.array_utils import normalize_axis_index

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import as_rows


@differentiable
def softmax(x, /, axis=-1):
    """p = e^x / sum(e^x) along `axis`.    x: (..., C) -> p: (..., C)

    dx = p (dp - sum(dp p)).    Keeps p.

    A row of only -inf, all masked, gives zeros.
    """
    axis = normalize_axis_index(axis, x.ndim)
    p = kernels.softmax(x, axis)

    def vjp(dp):
        return (kernels.softmax_vjp(p, dp, axis),)

    return p, vjp


@differentiable
def log_softmax(x, /, axis=-1):
    """y = x - ln sum(e^x) along `axis`.    dx = dy - e^y sum(dy).    Keeps y.

    A row of only -inf stays as it is.
    """
    axis = normalize_axis_index(axis, x.ndim)
    y = kernels.log_softmax(x, axis)

    def vjp(dy):
        return (kernels.log_softmax_vjp(y, dy, axis),)

    return y, vjp


@differentiable
def layer_norm(x, weight, bias, /, eps=1e-5):
    """y = weight (x - mean) rstd + bias, rstd = 1 / sqrt(var + eps), over the last axis.

    x: (..., D), weight, bias: (D) -> y: (..., D); or x: (..., G, D), weight, bias: (G, D)

    dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy weight, xhat = (x - mean) rstd;
    dweight = sum(dy xhat), dbias = sum(dy).    Keeps x, weight, mean and rstd.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016, equation 3, arXiv:1607.06450.
    """
    shape = weight.shape
    if not (
        len(shape) in (1, 2) and 0 not in shape and bias.shape == shape == x.shape[-len(shape) :]
    ):
        raise ValueError(
            f"layer_norm of x {x.shape}, weight {weight.shape}, bias {bias.shape}: "
            "wanted (..., D), (D), (D), or (..., G, D), (G, D), (G, D), D and G at least 1"
        )
    rows = as_rows(x)
    y, mean, rstd = kernels.layer_norm(rows, weight, bias, eps)

    def vjp(dy):
        dx, dw, db = kernels.layer_norm_vjp(dy.reshape(rows.shape), rows, weight, mean, rstd)
        return dx.reshape(x.shape), dw, db

    return y.reshape(x.shape), vjp
