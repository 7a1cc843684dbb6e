"""The gradient checker: right gradients pass, and a rule that is wrong is noticed and located."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, gradcheck

X = np.array([[0.3, -1.2, 0.8], [1.5, 0.1, -0.7]])
# Central differences with h = 1e-5 are wrong by h^2 and by 1e-16 / h: 1e-10 either way.
DIFFERENCES = 1e-8


def product(da: Callable[..., Any], db: Callable[..., Any]) -> Callable[..., Tensor]:
    """y = a b with these rules for da and db, right if they are dy times the other."""

    @mg.differentiable
    def rule(a: Any, b: Any, /) -> Any:
        return a * b, lambda dy: (da(dy, b), db(dy, a))

    return rule


def softmax(dx: Callable[..., Any]) -> Callable[..., Tensor]:
    """p = softmax(x) along the last axis with this rule for dx."""

    @mg.differentiable
    def rule(x: Any, /) -> Any:
        p = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
        return p, lambda dp: (dx(dp, p),)

    return rule


def square(dx: Callable[..., Any]) -> Callable[..., Tensor]:
    """y = x^2 with this rule for dx."""

    @mg.differentiable
    def rule(x: Any, /) -> Any:
        return x * x, lambda dy: (dx(dy, x),)

    return rule


def total(dx: Callable[..., Any]) -> Callable[..., Tensor]:
    """y = sum of x along the last axis, with this rule for dx."""

    @mg.differentiable
    def rule(x: Any, /) -> Any:
        return x.sum(axis=-1), lambda dy: (dx(dy, x),)

    return rule


def along(axis: int) -> Callable[..., Any]:
    return lambda dp, p: p * (dp - (dp * p).sum(axis=axis, keepdims=True))


RIGHT = [
    square(lambda dy, x: 2 * x * dy),
    softmax(along(-1)),
    total(lambda dy, x: np.broadcast_to(dy[:, None], x.shape)),
]
WRONG = {
    "by 0.1%": square(lambda dy, x: 2.002 * x * dy),
    "a missing factor": square(lambda dy, x: x * dy),
    "the sign": square(lambda dy, x: -2 * x * dy),
    "zeros": square(lambda dy, x: 0 * x),
    "nothing": square(lambda dy, x: None),
    "dy left out": square(lambda dy, x: 2 * x),
    "softmax by 0.1%": softmax(lambda dp, p: 1.001 * along(-1)(dp, p)),
    "softmax along the wrong axis": softmax(along(0)),
    "softmax with zeros, right for a constant cotangent": softmax(lambda dp, p: 0 * p),
    "softmax without its second term": softmax(lambda dp, p: p * dp),
    "repeated along the wrong axis": total(lambda dy, x: np.resize(dy, x.shape)),
    "one entry": square(lambda dy, x: 2 * x * dy * np.where(x == 0.1, 1.001, 1)),
}


@pytest.mark.parametrize("f", RIGHT)
def test_right(f: Callable[..., Tensor]) -> None:
    assert gradcheck(f, [X], raise_error=True).error < DIFFERENCES


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    # 0.1% of a gradient of about 0.2 is the least of these.
    assert gradcheck(WRONG[name], [X]).error > 1e-4
    with pytest.raises(AssertionError, match="worst relative error"):
        gradcheck(WRONG[name], [X], raise_error=True)


# Without "one entry": the value at which that rule is wrong does not occur there.
@pytest.mark.parametrize("name", sorted(WRONG.keys() - {"one entry"}))
def test_wrong_in_the_middle_of_others(name: str) -> None:
    def f(x: Tensor) -> Tensor:
        return mg.tanh(WRONG[name](mg.sigmoid(x) + 0.1)) * 2

    assert gradcheck(f, [X]).error > 1e-5


def test_operations_of_all_kinds() -> None:
    def f(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return mg.layer_norm(mg.gelu(x @ w.T) + b, b, b) * mg.logsumexp(x)

    result = gradcheck(f, [X, X[:, ::-1], [0.5, -2.0]], raise_error=True)
    assert result.error < DIFFERENCES


@pytest.mark.parametrize("shape", [(), (1,), (2, 0), (2, 1, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.7)
    assert gradcheck(mg.tanh, [x], raise_error=True).error < DIFFERENCES
    if x.size:
        assert gradcheck(WRONG["by 0.1%"], [x]).error > 1e-4


def right(dy: Any, factor: Any) -> Any:
    return dy * factor


def off(place: tuple[int, int], by: float) -> Callable[..., Any]:
    """A rule of `product` that is wrong in the entry at `place`."""

    def rule(dy: Any, factor: Any) -> Any:
        d = dy * factor
        d[place] += by
        return d

    return rule


def test_names_the_input_and_the_index() -> None:
    for place in ((1, 2), (0, 1)):
        result = gradcheck(product(right, off(place, 0.1)), [X + 3, X])
        assert (result.input, result.index) == (1, place)
        assert result.analytic - result.numeric == pytest.approx(0.1, abs=DIFFERENCES)
        scale = max(1, abs(result.analytic), abs(result.numeric))
        assert result.error == pytest.approx(0.1 / scale, abs=DIFFERENCES)
        result = gradcheck(product(off(place, 0.2), off((0, 0), 0.02)), [X, X])
        assert (result.input, result.index) == (0, place)


def test_nan_is_the_worst() -> None:
    f = product(lambda dy, b: 5 * dy * b, off((0, 1), np.nan))
    result = gradcheck(f, [X + 3, X])
    assert np.isnan(result.error)
    assert np.isnan(result.analytic)
    assert (result.input, result.index) == (1, (0, 1))
    with pytest.raises(AssertionError, match=r"nan at input 1, index \[0, 1\]"):
        gradcheck(f, [X + 3, X], raise_error=True)


def test_nan_stays_the_worst() -> None:
    """NaN stays the worst error, if the next input's gradient is right and if it is wrong."""
    for db in (right, off((0, 0), 5)):
        result = gradcheck(product(off((0, 1), np.nan), db), [X, X + 3])
        assert np.isnan(result.error)
        assert (result.input, result.index) == (0, (0, 1))


def test_nan_in_the_function() -> None:
    def f(x: Tensor) -> Tensor:
        return mg.where(x.data > 1, np.nan, x)

    result = gradcheck(f, [X])
    assert np.isnan(result.error)
    assert np.isnan(result.numeric)


def test_raises_only_beyond_the_tolerance() -> None:
    f = WRONG["by 0.1%"]
    assert gradcheck(f, [X], tolerance=0.01, raise_error=True).error < 0.01
    with pytest.raises(AssertionError) as caught:
        gradcheck(f, [X], tolerance=1e-5, raise_error=True)
    result = gradcheck(f, [X])
    assert str(caught.value) == f"{result}; wanted at most 1e-05"
    assert f"at input 0, index {list(result.index)}: backward says" in str(result)


def test_what_the_function_does_not_depend_on() -> None:
    result = gradcheck(lambda a, b: a * 2, [X, X])
    assert result.error < DIFFERENCES
    assert gradcheck(lambda a: Tensor([1.0]), [X]).error == 0


def test_a_function_that_cuts_itself_off_is_noticed() -> None:
    assert gradcheck(lambda a: a.detach() * 2, [X]).error > 0.1
    assert gradcheck(lambda a: a * a.detach(), [X]).error > 0.1


def test_one_tensor_twice() -> None:
    assert gradcheck(lambda a: a * a + a, [X]).error < DIFFERENCES


def test_inputs_of_any_kind_are_left_alone() -> None:
    tensor = Tensor(X.astype(np.float32), requires_grad=True)
    array, listed = X.copy(), [1, 2, 3]

    def f(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        assert a.dtype == b.dtype == c.dtype == np.float64
        return a * b * c

    assert gradcheck(f, [tensor, array, listed]).error < DIFFERENCES
    np.testing.assert_array_equal(array, X)
    np.testing.assert_array_equal(tensor.data, X.astype(np.float32))
    assert tensor.grad is None
    assert listed == [1, 2, 3]


def test_the_cotangent_is_drawn_from_the_generator() -> None:
    f = WRONG["by 0.1%"]
    assert gradcheck(f, [X]) == gradcheck(f, [X], rng=np.random.default_rng(0))
    assert gradcheck(f, [X]) != gradcheck(f, [X], rng=np.random.default_rng(1))


def test_the_result_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        gradcheck(mg.exp, [X]).error = 0.0  # type: ignore[misc]


def test_the_error_is_relative_where_gradients_are_large() -> None:
    error = gradcheck(WRONG["by 0.1%"], [1e3 * X]).error
    assert error == pytest.approx(0.001 / 1.001, rel=1e-4)
