"""Operations that work entry by entry, with NumPy's broadcasting.

Their vjps give gradients in the broadcast shape; the tape sums them back to each input's.
At a kink the gradient is 0 (`abs`, `relu` at 0); where two inputs tie (`maximum`, `minimum`,
`clip` at a bound) they share it equally.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.differentiable import as_tensors, differentiable
from minigrad.ops.rows import as_rows
from minigrad.tensor import Tensor

# -- arithmetic ------------------------------------------------------------------------------------


@differentiable
def add(a, b, /):
    """y = a + b.    da = dy, db = dy.    Keeps nothing."""

    def vjp(dy):
        return dy, dy

    return a + b, vjp


@differentiable
def subtract(a, b, /):
    """y = a - b.    da = dy, db = -dy.    Keeps nothing."""

    def vjp(dy):
        return dy, lambda: -dy

    return a - b, vjp


@differentiable
def multiply(a, b, /):
    """y = a b.    da = dy b, db = dy a.    Keeps a and b."""

    def vjp(dy):
        return lambda: dy * b, lambda: dy * a

    return a * b, vjp


@differentiable
def divide(a, b, /):
    """y = a / b.    da = dy / b, db = -dy a / b^2.    Keeps b and y."""
    y = a / b

    def vjp(dy):
        return lambda: dy / b, lambda: -dy * y / b

    return y, vjp


@differentiable
def negative(x, /):
    """y = -x.    dx = -dy.    Keeps nothing."""

    def vjp(dy):
        return (-dy,)

    return -x, vjp


@differentiable
def power(a, b, /):
    """y = a^b.    da = dy b a^(b-1), db = dy a^b ln a.    Keeps a, b and y.

    Where b = 0, y is 1 whatever a is: da = 0, at a = 0 too. Where a = 0 and b > 0, y is 0 whatever
    b is: db = 0. At a = b = 0, db = 0 as well, by convention.
    """
    y = a**b

    def da(dy):
        exponent = np.where(b == 0, 1, b)  # b a^(b-1) is 0 there, and 0 * inf would not be
        return dy * b * a ** (exponent - 1)

    def db(dy):
        constant = (a == 0) & (b >= 0)  # y ln a would be 0 * -inf
        return dy * np.where(constant, 0, y * np.log(np.where(constant, 1, a)))

    def vjp(dy):
        return lambda: da(dy), lambda: db(dy)

    return y, vjp


# -- functions of one variable ---------------------------------------------------------------------


@differentiable
def exp(x, /):
    """y = e^x.    dx = dy y.    Keeps y."""
    y = np.exp(x)

    def vjp(dy):
        return (dy * y,)

    return y, vjp


@differentiable
def log(x, /):
    """y = ln x.    dx = dy / x.    Keeps x.    ln 0 = -inf, with NumPy's warning."""

    def vjp(dy):
        return (dy / x,)

    return np.log(x), vjp


@differentiable
def sqrt(x, /):
    """y = sqrt(x).    dx = dy / (2 y).    Keeps y.    At 0 the slope is infinite."""
    y = np.sqrt(x)

    def vjp(dy):
        return (dy / (2 * y),)

    return y, vjp


@differentiable
def abs(x, /):
    """y = |x|.    dx = dy sign(x), so 0 at the kink.    Keeps x."""

    def vjp(dy):
        return (dy * np.sign(x),)

    return np.abs(x), vjp


@differentiable
def tanh(x, /):
    """y = tanh x.    dx = dy (1 - y^2).    Keeps y."""
    y = np.tanh(x)

    def vjp(dy):
        return (dy * (1 - y * y),)

    return y, vjp


@differentiable
def sigmoid(x, /):
    """y = 1 / (1 + e^-x).    dx = dy y (1 - y).    Keeps z.

    With z = e^-|x|, y is 1 / (1 + z) or z / (1 + z), and dx = dy z / (1 + z)^2: no z overflows,
    and no digit is lost where y is near 0 or 1.
    """
    z = np.exp(-np.abs(x))

    def vjp(dy):
        return (dy * (z / (1 + z) ** 2),)

    return np.where(x < 0, z, 1) / (1 + z), vjp


@differentiable
def softplus(x, /):
    """y = ln(1 + e^x), without overflow.    dx = dy / (1 + e^-x).    Keeps x."""

    def vjp(dy):
        return (kernels.softplus_vjp(x, dy),)

    return kernels.softplus(x), vjp


@differentiable
def silu(x, /):
    """y = x s, s = 1 / (1 + e^-x).    dx = dy s (1 + x (1 - s)).    Keeps x.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, section 4, arXiv:1606.08415.
    """

    def vjp(dy):
        return (kernels.silu_vjp(x, dy),)

    return kernels.silu(x), vjp


@differentiable
def glu(x, /):
    """y = a s, s = 1 / (1 + e^-b), with a the first and b the second half of the last axis.

    x: (..., 2D) -> y: (..., D)

    dx = [dy s, dy a s (1 - s)].    Keeps x.

    Source: Dauphin et al., Language modeling with gated convolutional networks, 2016,
    arXiv:1612.08083.
    """
    if not x.ndim or x.shape[-1] % 2:
        raise ValueError(f"glu of x {x.shape}: wanted (..., 2D)")
    rows = as_rows(x)

    def vjp(dy):
        return (kernels.glu_vjp(rows, as_rows(dy)).reshape(x.shape),)

    return kernels.glu(rows).reshape(*x.shape[:-1], x.shape[-1] // 2), vjp


@differentiable
def sin(x, /):
    """y = sin x.    dx = dy cos x.    Keeps x."""

    def vjp(dy):
        return (dy * np.cos(x),)

    return np.sin(x), vjp


@differentiable
def cos(x, /):
    """y = cos x.    dx = -dy sin x.    Keeps x."""

    def vjp(dy):
        return (-dy * np.sin(x),)

    return np.cos(x), vjp


@differentiable
def erf(x, /):
    """y = 2/sqrt(pi) * integral of e^(-t^2) for t in 0..x.

    dx = dy 2/sqrt(pi) e^(-x^2).    Keeps x.
    """

    def vjp(dy):
        with np.errstate(over="ignore"):
            return (dy * (2 / math.sqrt(math.pi) * np.exp(-x * x)),)

    return kernels.erf(x), vjp


@differentiable
def relu(x, /):
    """y = max(x, 0).

    dx = dy where x > 0, else 0 (at the kink too); nan where x is nan.    Keeps y.
    """
    y = np.where(x <= 0, x.dtype.type(0), x)

    def vjp(dy):
        return (np.where(y > 0, dy, y),)  # 0 even where dy is infinite

    return y, vjp


@differentiable
def gelu(x, /, approximate="none"):
    """y = x P(Z <= x), Z standard normal with density p.

    dx = dy (P(Z <= x) + x p(x)).    Keeps x.

    approximate: 'none', with P(Z <= x) = (1 + erf(x/sqrt(2))) / 2, or 'tanh', with
        P(Z <= x) ~ (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, equation 2, arXiv:1606.08415.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate is {approximate!r}, wanted 'none' or 'tanh'")

    def vjp(dy):
        return (kernels.gelu_vjp(x, dy, approximate),)

    return kernels.gelu(x, approximate), vjp


# -- choices ---------------------------------------------------------------------------------------


@differentiable
def maximum(a, b, /):
    """y = max(a, b).

    da = dy where a > b, db = dy where a < b, half to each where they tie; nan to both where y is
    nan.

    Keeps masks.
    """
    return np.maximum(a, b), _to_chosen(a > b, a < b, a == b)


@differentiable
def minimum(a, b, /):
    """y = min(a, b).

    da = dy where a < b, db = dy where a > b, half to each where they tie; nan to both where y is
    nan.

    Keeps masks.
    """
    return np.minimum(a, b), _to_chosen(a < b, a > b, a == b)


def _to_chosen(first, second, tie):
    def vjp(dy):
        # Where none of the three holds, one is NaN. A product with 0 or 1 would be NaN where dy is
        # infinite.
        half = np.where(tie, dy / 2, np.where(first | second, 0, np.nan).astype(dy.dtype))
        return lambda: np.where(first, dy, half), lambda: np.where(second, dy, half)

    return vjp


@differentiable(constants=["condition"])
def where(condition, a, b, /):
    """y = a where condition, else b.

    da = dy where condition, else 0; db = 0 where condition, else dy.    Keeps the condition.

    Both sides are computed everywhere: sqrt(x) where x > 0, else 0, has the slope 0 times inf, nan,
    at x = 0. Choose the operand instead of the result: sqrt(where(x > 0, x, 1)).
    """
    condition = condition.astype(bool)

    def vjp(dy):
        return None, lambda: np.where(condition, dy, 0), lambda: np.where(condition, 0, dy)

    return np.where(condition, a, b), vjp


def clip(x: Any, low: Any = None, high: Any = None) -> Tensor:
    """y = min(max(x, low), high), either bound optional.

    dx = dy between the bounds, dlow = dy below, dhigh = dy above; half to each of two that tie.

    Keeps masks.

    Raises ValueError where both bounds are None.
    """
    if low is None and high is None:
        raise ValueError("clip needs low, high or both")
    x, low, high = as_tensors(x, low, high)
    y = x if low is None else maximum(x, low)
    return y if high is None else minimum(y, high)
