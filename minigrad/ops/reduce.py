"""Operations that reduce axes, with `axis` (None for all, or one, or several) as in NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minigrad.differentiable import differentiable
from minigrad.tensor import Axis


def _restore(reduced, shape, axis, keepdims):
    """View a reduced array so that it broadcasts against the array of `shape` it came from."""
    if axis is None or not shape:  # of a 0-d array NumPy sums along axis 0 as well
        return reduced.reshape((1,) * len(shape))
    return reduced if keepdims else np.expand_dims(reduced, axis)


def _reduced(y, axis, keepdims):
    """The other way round: drop the axes of length 1 that were kept, unless they are wanted."""
    if keepdims:
        return y
    return y.reshape(()) if axis is None or not y.ndim else np.squeeze(y, axis)


def _count(shape, axis):
    """How many entries are summed up into each entry of the result."""
    if axis is None or not shape:
        return math.prod(shape)
    axes = normalize_axis_tuple(axis, len(shape))
    return math.prod(shape[i] for i in axes)


@differentiable
def sum(x, /, axis: Axis = None, keepdims=False):
    """y = sum of x along `axis`.    dx = dy, repeated along `axis`.    Keeps nothing."""
    shape = x.shape

    def vjp(dy):
        return (np.broadcast_to(_restore(dy, shape, axis, keepdims), shape),)

    return np.sum(x, axis=axis, keepdims=keepdims), vjp


@differentiable
def mean(x, /, axis: Axis = None, keepdims=False):
    """y = sum(x) / n along `axis`, nan where n is 0.    dx = dy / n, repeated.    Keeps nothing."""
    shape, n = x.shape, _count(x.shape, axis)

    def vjp(dy):
        with np.errstate(invalid="ignore", divide="ignore"):
            return (np.broadcast_to(_restore(dy / n, shape, axis, keepdims), shape),)

    with np.errstate(invalid="ignore"):
        return np.sum(x, axis=axis, keepdims=keepdims) / n, vjp


@differentiable
def var(x, /, axis: Axis = None, keepdims=False, correction=0):
    """y = sum((x - m)^2) / (n - correction), m the mean.

    dx = dy 2 (x - m) / (n - correction).    Keeps the deviations from m.

    The mean's own dependence on x adds nothing, because deviations from it sum to 0.
    Where n - correction is below 0 it counts as 0. Division by 0 gives inf, or nan where all
    deviations are 0 or there is no entry.
    """
    deviation, n, y = _deviations(x, axis, keepdims, correction)

    def vjp(dy):
        dy = _restore(dy, deviation.shape, axis, keepdims)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (dy * (2 * deviation / n),)

    return y, vjp


@differentiable
def std(x, /, axis: Axis = None, keepdims=False, correction=0):
    """y = sqrt(var(x)), the standard deviation.

    dx = dy (x - m) / ((n - correction) y), m the mean; 0 where y is 0.

    Keeps the deviations from m, and y.

    Where n - correction is below 0 it counts as 0, as in `var`.
    """
    deviation, n, variance = _deviations(x, axis, keepdims, correction)
    y = np.sqrt(variance)

    def vjp(dy):
        dy, full = (_restore(array, deviation.shape, axis, keepdims) for array in (dy, y))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (dy * (deviation / (n * np.where(full == 0, 1, full))),)

    return y, vjp


def _deviations(x, axis, keepdims, correction):
    """The deviations from the mean, what the sum of their squares is divided by, the variance."""
    count = _count(x.shape, axis)
    n = np.asarray(count - correction if correction < count else 0, x.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = x - np.sum(x, axis=axis, keepdims=True) / count
        return deviation, n, np.sum(deviation * deviation, axis=axis, keepdims=keepdims) / n


@differentiable
def norm(x, /, axis: Axis = None, keepdims=False):
    """y = sqrt(sum(x^2)) along `axis`, the Euclidean norm.

    dx = dy x / y, 0 where y is 0.    Keeps x and y.

    The largest |x| is divided out first, so that no square overflows.
    """
    largest = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    scale = np.where((largest > 0) & (largest < np.inf), largest, 1)
    total = np.sum((x / scale) ** 2, axis=axis, keepdims=True)
    y = scale * np.sqrt(total)

    def vjp(dy):
        dy = _restore(dy, x.shape, axis, keepdims)
        with np.errstate(invalid="ignore"):
            return (dy * (x / np.where(y == 0, 1, y)),)

    return _reduced(y, axis, keepdims), vjp


@differentiable
def max(x, /, axis: Axis = None, keepdims=False):
    """y = the largest of x along `axis`.

    dx = dy at the largest, in equal parts where several tie, else 0; nan where y is nan.

    Keeps a mask and y.

    Raises ValueError where there is no entry to choose from.
    """
    return _extreme(np.max, x, axis, keepdims)


@differentiable
def min(x, /, axis: Axis = None, keepdims=False):
    """y = the smallest of x along `axis`.

    dx = dy at the smallest, in equal parts where several tie, else 0; nan where y is nan.

    Keeps a mask and y.

    Raises ValueError where there is no entry to choose from.
    """
    return _extreme(np.min, x, axis, keepdims)


def _extreme(reduce, x, axis, keepdims):
    if x.size == 0 and np.sum(x, axis=axis).size > 0:
        raise ValueError(f"{reduce.__name__} of {x.shape} along axis {axis}: there is no entry")
    y = reduce(x, axis=axis, keepdims=True)
    chosen = x == y

    def vjp(dy):
        dy = _restore(dy, chosen.shape, axis, keepdims)
        count = chosen.sum(axis=axis, keepdims=True, dtype=dy.dtype)
        others = np.where(np.isnan(y), y, 0)  # NaN is not equal to itself: nothing is chosen
        return (np.where(chosen, dy / np.maximum(count, 1), others),)

    return _reduced(y, axis, keepdims), vjp


@differentiable
def logsumexp(x, /, axis: Axis = None, keepdims=False):
    """y = ln sum(e^x) along `axis`.

    dx = dy e^x / sum(e^x), a softmax.    Keeps the exponentials and their sum.

    The largest x is subtracted first, so that nothing overflows. The exponentials are kept, because
    e^(x - y) has fewer digits. Where all x are -inf, or there is none, y is -inf and dx 0. Where an
    x is inf, so is y, and dx is dy there and 0 elsewhere.
    """
    shape = x.shape
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(largest), largest, 0)
    # Beside an infinite x the others are nothing; several share as they do where they tie.
    e = np.where(largest == np.inf, x == np.inf, np.exp(np.where(x == np.inf, 0, x - shift)))
    total = np.sum(e, axis=axis, keepdims=True)
    shift = np.where(largest == np.inf, largest, shift)
    with np.errstate(divide="ignore"):
        y = np.log(total) + shift

    def vjp(dy):
        dy = _restore(dy, shape, axis, keepdims)
        return (dy * (e / np.where(total == 0, 1, total)),)

    return _reduced(y, axis, keepdims), vjp
