"""Is a gradient right? Compare it with differences of function values, which need no calculus."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.tape import Array
from minigrad.tensor import Tensor


@dataclasses.dataclass(frozen=True)
class GradcheckResult:
    """The entry where backward and differences disagree most; true where that is within tolerance.

    error: |analytic - numeric| / max(1, |analytic|, |numeric|); nan where either is not a number
    """

    error: float
    input: int
    index: tuple[int, ...]
    analytic: float
    numeric: float
    tolerance: float

    def __bool__(self) -> bool:
        return self.error <= self.tolerance

    def __str__(self) -> str:
        return (
            f"worst relative error {self.error:.3g} at input {self.input}, index "
            f"{list(self.index)}: backward says {self.analytic:.9g}, differences {self.numeric:.9g}"
        )


def gradcheck(
    f: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Any,
    *,
    eps: float = 1e-5,
    tolerance: float = 1e-6,
    raise_error: bool = False,
    rng: np.random.Generator | None = None,
) -> GradcheckResult:
    """Compare backward through f(*inputs) with central differences in float64, at every entry.

    With a random cotangent c the loss is L = sum(c f(x)), and for each entry
    dL/dx ~ (L(x + h) - L(x - h)) / (2 h), h = eps max(1, |x|), whose error is O(h^2).
    A random c notices what a constant one would not: the gradient of sum(softmax(x)) is 0.

    f: deterministic; of several outputs, each has a cotangent of its own.
    inputs: floats, arrays or Tensors in a list, or a single one; each becomes a float64 leaf.
    -> a result that is true where the error is at most tolerance
    Source: Nocedal and Wright, Numerical Optimization, 2006, section 8.1,
        doi:10.1007/978-0-387-40065-5.

    Raises AssertionError, with the place, where raise_error is set and the error exceeds tolerance;
    TypeError for an array of integers, which has no derivatives.
    """
    rng = rng or np.random.default_rng(0)
    points = [_float64(x, i) for i, x in enumerate(_several(inputs))]
    leaves = [Tensor(point, requires_grad=True) for point in points]
    outputs = _several(f(*leaves))
    cotangents = [rng.standard_normal(y.shape) for y in outputs]
    for y, cotangent in zip(outputs, cotangents, strict=True):
        if y.requires_grad:
            y.backward(cotangent, retain_graph=True)

    def loss() -> float:
        outputs = _several(f(*[Tensor(point) for point in points]))
        return float(sum(np.sum(c * y.data) for c, y in zip(cotangents, outputs, strict=True)))

    worst = GradcheckResult(0.0, 0, (), 0.0, 0.0, tolerance)
    for i, index in [(i, index) for i, x in enumerate(points) for index in np.ndindex(x.shape)]:
        grad = leaves[i].grad
        analytic = 0.0 if grad is None else float(grad[index])
        numeric = _central_difference(loss, points[i], index, eps)
        error = abs(analytic - numeric) / max(1.0, abs(analytic), abs(numeric))
        if not error <= worst.error:  # also true for nan, which is the worst of all
            worst = GradcheckResult(error, i, index, analytic, numeric, tolerance)
            if np.isnan(error):
                break
    if raise_error and not worst:
        raise AssertionError(f"{worst}; wanted at most {tolerance:.3g}")
    return worst


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _float64(x: Any, number: int) -> Array:
    array = np.asarray(x.data if isinstance(x, Tensor) else x)
    if isinstance(x, np.ndarray) and array.dtype.kind != "f":
        raise TypeError(
            f"input {number} holds {array.dtype}, wanted floats; what has no derivative, as ids "
            "have none, belongs into f"
        )
    return np.array(array, np.float64)


def _central_difference(
    loss: Callable[[], float], point: Array, index: tuple[int, ...], eps: float
) -> float:
    """(L(x + h) - L(x - h)) / (2 h) in one entry of `point`, which is put back as it was."""
    x = point[index]
    h = eps * max(1.0, abs(x))
    point[index] = x + h
    above = loss()
    point[index] = x - h
    below = loss()
    point[index] = x
    return float((above - below) / (2 * h))
