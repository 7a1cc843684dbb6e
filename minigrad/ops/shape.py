"""Operations that only move entries: each vjp moves the gradients back the same way."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minigrad.differentiable import as_tensors, differentiable
from minigrad.tensor import Tensor


@differentiable
def reshape(x, /, shape):
    """y = x in another shape of the same size; one length may be -1.

    dx = dy in x's shape.    Keeps nothing.
    """
    before = x.shape

    def vjp(dy):
        return (dy.reshape(before),)

    return x.reshape(shape), vjp


@differentiable
def transpose(x, /, axes=None):
    """y[i, j, ...] = x[...]: axis k of y is axis axes[k] of x, by default all in reverse.

    dx = dy transposed by the inverse permutation.    Keeps nothing.
    """
    y = x.transpose(axes)
    inverse = None if axes is None else np.argsort(np.asarray(axes) % max(x.ndim, 1))

    def vjp(dy):
        return (dy.transpose(inverse),)

    return y, vjp


@differentiable
def swapaxes(x, /, axis1, axis2):
    """y = x with two axes exchanged.    dx = dy with the same two exchanged.    Keeps nothing."""

    def vjp(dy):
        return (dy.swapaxes(axis1, axis2),)

    return x.swapaxes(axis1, axis2), vjp


@differentiable
def squeeze(x, /, axis=None):
    """y = x without its axes of length 1, or without the named ones.

    dx = dy in x's shape.    Keeps nothing.
    """
    before = x.shape

    def vjp(dy):
        return (dy.reshape(before),)

    return np.squeeze(x, axis), vjp


@differentiable
def expand_dims(x, /, axis):
    """y = x with new axes of length 1 at `axis`.    dx = dy in x's shape.    Keeps nothing."""
    before = x.shape

    def vjp(dy):
        return (dy.reshape(before),)

    return np.expand_dims(x, axis), vjp


@differentiable
def broadcast_to(x, /, shape):
    """y = x repeated to fill `shape`.

    dx = dy summed over the repetitions, by the tape.    Keeps nothing.

    Raises ValueError where x has an axis that is neither 1 nor as long as it is to be.
    """

    def vjp(dy):
        return (dy,)

    try:
        return np.broadcast_to(x, shape), vjp
    except ValueError:
        raise ValueError(f"broadcast_to of {x.shape}: can't be repeated to {shape}") from None


@differentiable
def getitem(x, /, index):
    """y = x[index]: basic, integer-array or boolean indexing, as in NumPy.

    dx = 0, with dy added at `index`: an entry taken twice gets both gradients.

    Keeps the index.

    Raises IndexError for an index out of range or of no integer or boolean kind.
    """
    index = _plain_index(index)
    shape = x.shape
    parts = index if isinstance(index, tuple) else (index,)
    basic = all(i is None or i is Ellipsis or isinstance(i, int | slice) for i in parts)

    def vjp(dy):
        dx = np.zeros(shape, dy.dtype)
        if basic:
            dx[index] = dy  # takes each entry once at most, so there is nothing to add up
        else:
            np.add.at(dx, index, dy)
        return (dx,)

    return x[index], vjp


def _plain_index(index: Any) -> Any:
    """The index in plain integers, slices and copied arrays: the vjp needs it as it is now."""
    if isinstance(index, tuple):
        return tuple(_plain_index(i) for i in index)
    if isinstance(index, slice):
        bounds = index.start, index.stop, index.step
        return slice(*[None if i is None else operator.index(i) for i in bounds])
    if index is None or index is Ellipsis:
        return index
    if isinstance(index, Tensor):
        raise IndexError("an index is made of integers or booleans, got a Tensor of floats")
    if isinstance(index, bool | np.bool_ | list | np.ndarray):
        array = np.array(index)
        if array.dtype == np.uint64 and array.size:
            _check_range(int(array.max()))
        if isinstance(index, list) and array.size == 0:
            return array.astype(np.intp)
        if array.ndim or array.dtype == bool:
            return array
    try:
        number = operator.index(index)
    except TypeError:
        raise IndexError(f"an index is made of integers or booleans, got {index!r}") from None
    _check_range(number)
    return number


def _check_range(number: int) -> None:
    """Raise where the number does not fit in an intp: NumPy would turn such a uint64 negative."""
    if abs(number) > np.iinfo(np.intp).max:
        raise IndexError(f"index {number} is out of bounds for an axis of any size")


@differentiable
def _concatenate(*parts, axis):
    if not all(part.ndim for part in parts):
        shapes = ", ".join(str(part.shape) for part in parts)
        raise ValueError(f"concatenate needs at least one axis each, got shapes {shapes}")
    y = np.concatenate(parts, axis)
    ends = np.cumsum([part.shape[axis] for part in parts])[:-1]

    def vjp(dy):
        return tuple(np.split(dy, ends, axis))

    return y, vjp


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """y = the tensors one after the other along `axis`.

    dtensors[i] = the part of dy where tensors[i] went.    Keeps nothing.

    Raises ValueError where there is no tensor, or the other axes differ.
    """
    if len(tensors) == 0:
        raise ValueError("concatenate needs at least one tensor, got none")
    result: Tensor = _concatenate(*tensors, axis=axis)
    return result


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """y = the tensors, all of one shape, along a new axis.

    dtensors[i] = dy at i along that axis.    Keeps nothing.
    """
    return concatenate([expand_dims(tensor, axis) for tensor in as_tensors(*tensors)], axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """y[i] = part i of x along `axis`: `sections` equal parts, or cut before those positions.

    dx = dy[i] where part i came from, for each.    Keeps nothing.

    Raises ValueError where x has no so many equal parts.
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    axis = normalize_axis_index(axis, x.ndim)
    length = x.shape[axis]
    if isinstance(sections, int):
        if sections < 1 or length % sections:
            raise ValueError(f"an axis of length {length} has no {sections} equal parts")
        sections = [length // sections * i for i in range(1, sections)]
    cuts = [0, *sections, length]
    before = (slice(None),) * axis
    return [x[(*before, slice(i, j))] for i, j in itertools.pairwise(cuts)]
