"""The ends of the number line, arrays without axes, and what NumPy and Python do on their own.

All without a warning: warnings are errors in these tests.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.optim import SGD, AdamW, Muon, clip_grad_norm

NAN, INF = math.nan, math.inf
Array = np.ndarray[Any, np.dtype[Any]]


def leaf(data: Any, dtype: Any = float) -> Tensor:
    return Tensor(np.array(data, dtype), requires_grad=True)


def value_and_gradient(f: Callable[[Tensor], Tensor], data: Any, dtype: Any) -> tuple[Any, Any]:
    """f at a point, and its gradient for cotangents of 1."""
    x = leaf(data, dtype)
    y = f(x)
    y.backward(np.ones(y.shape))
    assert x.grad is not None
    assert y.dtype == x.grad.dtype == dtype
    return y.tolist(), x.grad.tolist()


# -- NaN and infinity ------------------------------------------------------------------------------

ENDS: dict[str, tuple[Callable[[Tensor], Tensor], Any, Any, Any]] = {
    # operations that choose an entry: NaN is chosen, and makes gradients NaN
    "max": (mg.max, [NAN, 1], NAN, [NAN, NAN]),
    "min": (mg.min, [1, NAN], NAN, [NAN, NAN]),
    "max of rows": (lambda x: mg.max(x, axis=1), [[NAN, 1], [2, 3]], [NAN, 3], [[NAN] * 2, [0, 1]]),
    "maximum": (lambda x: mg.maximum(x, 0), [NAN, 1, -1], [NAN, 1, 0], [NAN, 1, 0]),
    "minimum": (lambda x: mg.minimum(x, NAN), [2, -INF], [NAN, NAN], [NAN, NAN]),
    "clip": (lambda x: mg.clip(x, -1, 1), [NAN, INF, -INF, 0], [NAN, 1, -1, 0], [NAN, 0, 0, 1]),
    "relu": (mg.relu, [NAN, INF, -INF], [NAN, INF, 0], [NAN, 1, 0]),
    "abs": (mg.abs, [NAN, INF, -INF], [NAN, INF, INF], [NAN, 1, -1]),
    # what has a limit
    "gelu": (mg.gelu, [-INF, INF, NAN], [0, INF, NAN], [0, 1, NAN]),
    "gelu, tanh": (lambda x: mg.gelu(x, "tanh"), [-INF, INF, NAN], [0, INF, NAN], [0, 1, NAN]),
    "sigmoid": (mg.sigmoid, [-INF, INF], [0, 1], [0, 0]),
    "tanh": (mg.tanh, [-INF, INF], [-1, 1], [0, 0]),
    "erf": (mg.erf, [-INF, INF], [-1, 1], [0, 0]),
    "exp": (mg.exp, [-INF, INF], [0, INF], [0, INF]),
    "sqrt": (mg.sqrt, [INF], [INF], [0]),
    "log": (mg.log, [INF], [INF], [0]),
    "divide": (lambda x: 1 / x, [-INF, INF], [0, 0], [0, 0]),
    "power": (lambda x: x**-2, [-INF, INF], [0, 0], [0, 0]),
    "logsumexp": (mg.logsumexp, [INF, 0], INF, [1, 0]),
    "logsumexp, two": (mg.logsumexp, [INF, 0, INF], INF, [0.5, 0, 0.5]),
    "logsumexp, nan": (mg.logsumexp, [NAN, 0], NAN, [NAN, NAN]),
    "max, inf": (mg.max, [INF, 0], INF, [1, 0]),
    "norm": (mg.norm, [0, 0], 0, [0, 0]),
    "norm, large": (mg.norm, [3e30, 4e30], 5e30, [0.6, 0.8]),
    "std": (mg.std, [2, 2], 0, [0, 0]),
    "std of one": (mg.std, [5], 0, [0]),
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("f", "data", "value", "gradient"), ENDS.values(), ids=ENDS)
def test_ends(
    f: Callable[[Tensor], Tensor], data: Any, value: Any, gradient: Any, dtype: Any
) -> None:
    y, dx = value_and_gradient(f, data, dtype)
    np.testing.assert_allclose(y, value, rtol=1e-6)  # float32's
    np.testing.assert_allclose(dx, gradient, rtol=1e-6)


# -- arrays without axes ---------------------------------------------------------------------------


@pytest.mark.parametrize("f", [mg.sum, mg.mean, mg.max, mg.min, mg.logsumexp, mg.norm])
@pytest.mark.parametrize("axis", [None, 0, -1, ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_of_a_number(f: Any, axis: Any, keepdims: bool) -> None:
    """NumPy takes axis 0 of a 0-d array."""
    y, dx = value_and_gradient(lambda x: f(x, axis=axis, keepdims=keepdims), 3.0, np.float64)
    assert (y, dx) == (3, 1)


@pytest.mark.parametrize("f", [mg.var, mg.std])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_spread_of_a_number(f: Any, axis: Any) -> None:
    assert value_and_gradient(lambda x: f(x, axis=axis), 3.0, np.float64) == (0, 0)


# -- NumPy's functions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: np.linalg.norm(t), r"numpy\.norm of a Tensor .*: minigrad\.norm records it"),
        (lambda t: np.where(t.data > 3, t, 0), r"numpy\.where .* minigrad\.where records it"),
        (lambda t: np.dot(t, t), r"numpy\.dot .* minigrad\.matmul records it"),
        (
            lambda t: np.einsum("i,i", t, t),
            r"numpy\.einsum .* minigrad has no such one; for values",
        ),
        (lambda t: np.stack([t, t]), r"numpy\.stack .* minigrad\.stack records it"),
        (lambda t: np.concatenate([t, t]), r"numpy\.concatenate .* minigrad\.concatenate records"),
        (lambda t: np.reshape(t, (2, 1)), r"numpy\.reshape .* minigrad\.reshape records it"),
        (lambda t: np.sum(t), r"numpy\.sum .* minigrad\.sum records it"),
        (lambda t: np.mean(np.ones(2), where=t), r"give it t\.data"),
        (lambda t: np.max(t), r"minigrad\.max records it"),
    ],
)
def test_numpy_does_not_cut_the_tape(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(leaf([3, 4]))


def test_values_can_be_had_for_numpy() -> None:
    t = leaf([3, 4])
    assert (np.shape(t), np.ndim(t), np.size(t)) == ((2,), 1, 2)
    assert np.asarray(t).tolist() == np.array(t).tolist() == [3, 4]
    assert np.linalg.norm(t.data) == 5
    assert (np.ones(2) + t).requires_grad  # type: ignore[attr-defined]
    ((t * t).sum() + mg.norm(t)).backward()
    np.testing.assert_allclose(t.grad, [6.6, 8.8])  # type: ignore[arg-type]


# -- Python's --------------------------------------------------------------------------------------


def test_one_entry_as_a_number() -> None:
    loss = leaf(2.34567)
    assert f"{loss:.3f}" == "2.346"
    assert f"{loss}" == str(loss)
    assert (int(loss), round(loss), round(loss, 2)) == (2, 2, 2.35)
    assert loss.tolist() == 2.34567
    assert leaf([[1, 2]]).tolist() == [[1, 2]]
    for convert in (int, round, lambda t: f"{t:.3f}"):
        with pytest.raises(ValueError, match="size 1"):
            convert(leaf([1, 2]))


def test_a_deep_copy_of_a_leaf_is_a_leaf() -> None:
    a = leaf([1, 2])
    (a * a).sum().backward()
    pair = copy.deepcopy([a, a])
    assert pair[0] is pair[1] is not a
    assert pair[0].requires_grad
    np.testing.assert_array_equal(pair[0].grad, a.grad)
    pair[0].zero_grad()
    (pair[0] * 3).sum().backward()
    np.testing.assert_array_equal(pair[0].grad, [3, 3])
    np.testing.assert_array_equal(a.grad, [2, 4])


def test_a_deep_copy_of_a_result_is_refused() -> None:
    """Its gradients would go to copies of the leaves, which nothing else refers to."""
    with pytest.raises(TypeError, match=r"copy t\.detach\(\)"):
        copy.deepcopy(leaf([1, 2]) * 2)
    assert copy.deepcopy((leaf([1, 2]) * 2).detach()).tolist() == [2, 4]


def test_pickled_and_copied() -> None:
    a = leaf([1, 2])
    same = pickle.loads(pickle.dumps(a))
    assert (same.tolist(), same.requires_grad) == ([1, 2], True)
    copy.copy(a * 2).sum().backward()
    np.testing.assert_array_equal(a.grad, [2, 2])


# -- one Tensor where several are wanted -----------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda w: clip_grad_norm(w, 1.0),
        lambda w: SGD(w, lr=0.1),
        lambda w: AdamW(w),
        lambda w: Muon(w),
    ],
)
def test_one_tensor_for_a_list(call: Any) -> None:
    w = leaf([[3, 4]])
    w.grad = np.ones((1, 2))
    with pytest.raises(TypeError, match=r"params is one Tensor of shape \(1, 2\), wanted a list"):
        call(w)


# -- gradcheck -------------------------------------------------------------------------------------


def wrong(x: Tensor) -> Tensor:
    return x * x.data  # half of x^2's gradient is missing


def test_a_check_is_true_within_tolerance_only() -> None:
    assert mg.gradcheck(mg.exp, [np.array([0.5, 1.0])])
    result = mg.gradcheck(wrong, [np.array([1000.0])])
    assert not result
    assert result.error == pytest.approx(0.5)
    assert mg.gradcheck(wrong, [np.array([1000.0])], tolerance=0.6)


def test_a_check_takes_one_array_and_several_outputs() -> None:
    x = np.array([0.5, 1.0])
    assert mg.gradcheck(mg.exp, x)
    assert mg.gradcheck(mg.exp, leaf(x))
    assert mg.gradcheck(lambda x: x * x, 3)
    assert mg.gradcheck(lambda x: mg.split(x, 2), x)
    assert not mg.gradcheck(lambda x: (mg.exp(x), wrong(x)), x)


def test_a_check_of_integers_is_refused() -> None:
    with pytest.raises(TypeError, match="input 1 holds int64, wanted floats"):
        mg.gradcheck(lambda w, ids: mg.embedding(ids.data, w), [np.ones((2, 2)), np.array([0, 1])])
