"""The Tensor: what it holds, copies and refuses, and its operators against NumPy."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor

ONE = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
F4, F8 = np.float32, np.float64


# -- making one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (2, F4),
        (2.5, F4),
        (True, F4),
        ([], F4),
        ([1, 2.5], F4),
        ([np.float64(1), np.float64(2)], F4),
        (((1, 2), (3, 4)), F4),
        (np.float32(2), F4),
        (np.float64(2), F8),
        (np.int64(2), F4),
        (np.bool_(True), F4),
        (np.array(2.0), F8),
        (np.array([1, 2]), F4),
        (np.array([1, 2], np.uint8), F4),
        (np.array([True, False]), F4),
        (np.ones((2, 0), F4), F4),
        (np.ones((2, 0), F8), F8),
        (np.array([1.5], ">f8"), F8),
        (np.array([1.5], ">f4"), F4),
        (np.array([1], ">i4"), F4),
        (Tensor(np.ones(2)), F8),
        (Tensor([1, 2]), F4),
    ],
)
def test_dtype(data: Any, dtype: Any) -> None:
    tensor = Tensor(data)
    assert tensor.dtype == dtype
    assert tensor.dtype.isnative
    np.testing.assert_array_equal(tensor.data, np.asarray(data))
    assert tensor.shape == np.shape(data)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (1j, "complex128"),
        (np.ones(2, np.complex64), "complex64"),
        (np.float16(1), "float16"),
        ("a", "<U1"),
        (None, "object"),
        ([None, 1.0], "object"),
        (10**30, "object"),
        (np.array(["2020-01-01"], "M8[D]"), r"datetime64\[D\]"),
    ],
)
def test_what_is_no_real_number_is_refused(data: Any, got: str) -> None:
    with pytest.raises(TypeError, match=f"a Tensor holds float32 or float64, got {got}"):
        Tensor(data)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(ONE),
        ONE.T.copy().T,
        ONE[::-1, ::-1],
        ONE[:, ::2],
        np.broadcast_to(ONE[:1], (4, 3)),
        ONE.astype(">f8"),
        np.broadcast_to(np.array(2.0), ()),
    ],
)
def test_any_layout_becomes_an_array_of_its_own(array: Any) -> None:
    tensor = Tensor(array)
    np.testing.assert_array_equal(tensor.data, array)
    assert not np.shares_memory(tensor.data, array)
    assert tensor.data.dtype == np.float64
    assert tensor.data.flags.aligned


def test_the_source_is_copied() -> None:
    array = ONE.copy()
    tensor, copy = Tensor(array), Tensor(Tensor(array))
    array[:] = 0
    np.testing.assert_array_equal(tensor.data, ONE)
    np.testing.assert_array_equal(copy.data, ONE)


def test_a_tensor_made_of_a_tensor_is_a_new_leaf() -> None:
    x = Tensor(ONE, requires_grad=True)
    y = Tensor(x * 2, requires_grad=True)
    y.backward(ONE)
    assert x.grad is None
    np.testing.assert_array_equal(y.grad, ONE)
    assert not Tensor(x).requires_grad


def test_properties() -> None:
    x = Tensor(ONE, requires_grad=True)
    assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
    assert x.requires_grad is True
    assert x.grad is None
    assert x.T.shape == (3, 2)
    np.testing.assert_array_equal(x.T.data, ONE.T)
    assert not Tensor(ONE).requires_grad


# -- taking values out -----------------------------------------------------------------------------


def test_data_is_read_only_and_numpy_a_copy() -> None:
    x = Tensor(ONE)
    with pytest.raises(ValueError, match="read-only"):
        x.data[0, 0] = 9
    x.numpy()[:] = 9
    np.testing.assert_array_equal(x.data, ONE)


def test_data_of_a_leaf_can_be_assigned() -> None:
    x = Tensor(ONE, requires_grad=True)
    source = 2 * ONE
    x.data = source
    source[:] = 0
    np.testing.assert_array_equal(x.data, 2 * ONE)
    y = Tensor(np.zeros(2, F4))
    y.data = [1, 2]
    assert y.dtype == F4
    y.data = np.array([1.0, 2.0])
    assert y.dtype == F4
    with pytest.raises(ValueError, match=r"data has shape \(3, 2\), wanted \(2, 3\)"):
        x.data = ONE.T
    for wrong in (1j * ONE, ["1", "2"]):
        with pytest.raises(TypeError, match="a Tensor holds float32 or float64, got"):
            x.data = wrong
        with pytest.raises(TypeError, match="a Tensor holds float32 or float64, got"):
            x.backward(wrong)
    with pytest.raises(ValueError, match="data can only be set on a leaf"):
        (x * 2).data = ONE


def test_item_and_float() -> None:
    for x in (Tensor(1.5), Tensor([[1.5]])):
        assert type(x.item()) is float
        assert x.item() == float(x) == 1.5
    with pytest.raises(ValueError, match="size 1"):
        Tensor(ONE).item()


def test_as_an_array() -> None:
    x = Tensor(ONE)
    np.testing.assert_array_equal(np.asarray(x), ONE)
    assert not np.asarray(x).flags.writeable
    assert np.array(x).flags.writeable
    assert np.asarray(x, F4).dtype == F4
    assert np.shares_memory(np.asarray(x, copy=False), x.data)
    with pytest.raises(ValueError, match="a copy is needed to turn float64 into float32"):
        np.asarray(x, F4, copy=False)
    np.array(x)[:] = 0
    np.testing.assert_array_equal(x.data, ONE)


def test_truth() -> None:
    assert Tensor(2)
    assert not Tensor([0])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor(ONE))


def test_length_and_iteration() -> None:
    x = Tensor(ONE, requires_grad=True)
    assert len(x) == 2
    first, second = x
    np.testing.assert_array_equal(first.data, ONE[0])
    second.backward([1, 2, 3])
    np.testing.assert_array_equal(x.grad, [[0, 0, 0], [1, 2, 3]])
    assert list(Tensor(np.ones((0, 3)))) == []
    for fails in (len, iter):
        with pytest.raises(TypeError, match="0-d tensor"):
            fails(Tensor(1))


def test_repr() -> None:
    assert repr(Tensor([1, 2.5])) == "Tensor([1. , 2.5], dtype=float32)"
    x = Tensor(np.array(1.0), requires_grad=True)
    assert repr(x) == "Tensor(1., dtype=float64, requires_grad=True)"
    assert repr(x * 2) == "Tensor(2., dtype=float64, from=multiply)"


def test_a_tensor_can_be_a_key() -> None:
    x, y = Tensor([1, 2]), Tensor([1, 2])
    assert {x: 1, y: 2}[x] == 1


# -- operators -------------------------------------------------------------------------------------

ARITHMETIC = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.matmul,
]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
SQUARE = np.array([[1.0, 2.0], [3.0, 0.5]])
OTHERS: list[Any] = [
    np.array([[2.0, 3.0], [1.0, 2.0]]),
    np.array([2.0, 3.0]),
    np.array([[2, 3], [1, 2]]),
    [[2.0, 3.0], [1.0, 2.0]],
    2,
    2.0,
    True,
    np.float64(2),
    np.int64(2),
    np.array(2.0),
]


@pytest.mark.parametrize(
    ("function", "other"),
    [
        (function, other)
        for function in ARITHMETIC
        for other in OTHERS
        if function is not operator.matmul or np.ndim(other)
    ],
)
@pytest.mark.parametrize("dtype", [F4, F8])
def test_arithmetic_is_numpys_and_keeps_the_dtype(
    function: Callable[..., Any], other: Any, dtype: Any
) -> None:
    x = Tensor(SQUARE.astype(dtype), requires_grad=True)
    plain = np.asarray(other, float)
    for ours, want in (
        (function(x, other), function(SQUARE, plain)),
        (function(other, x), function(plain, SQUARE)),
        (function(x, Tensor(other)), function(SQUARE, plain)),
    ):
        assert isinstance(ours, Tensor)
        assert ours.requires_grad
        # A few roundings; both operands are whole numbers or halves, so exact in float32.
        np.testing.assert_allclose(ours.data, want, rtol=4 * np.finfo(dtype).eps)
        ours.backward(np.ones(ours.shape))
    assert function(x, other).dtype == function(other, x).dtype == dtype
    assert x.grad is not None
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("function", [operator.neg, operator.abs])
def test_signs(function: Callable[..., Any]) -> None:
    np.testing.assert_array_equal(function(Tensor(ONE - 3)).data, function(ONE - 3))


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("function", COMPARISONS)
def test_comparisons_give_plain_booleans(function: Callable[..., Any], other: Any) -> None:
    x = Tensor(SQUARE, requires_grad=True)
    for ours, want in (
        (function(x, other), function(SQUARE, np.asarray(other))),
        (function(other, x), function(np.asarray(other), SQUARE)),
        (function(x, Tensor(other)), function(SQUARE, np.asarray(other))),
    ):
        assert type(ours) is np.ndarray
        assert ours.dtype == bool
        np.testing.assert_array_equal(ours, want)
    assert type(function(Tensor(1), 2)) is np.ndarray


def test_in_place_operators_make_a_new_tensor_of_a_result() -> None:
    x = Tensor(SQUARE, requires_grad=True)
    for total in (Tensor(SQUARE), x * 1):
        before = total
        total += x
        assert total is not before
        np.testing.assert_array_equal(before.data, SQUARE)
        np.testing.assert_array_equal(total.data, SQUARE + SQUARE)


IN_PLACE: list[tuple[str, Any]] = [
    ("+=", operator.iadd),
    ("-=", operator.isub),
    ("*=", operator.imul),
    ("/=", operator.itruediv),
    ("**=", operator.ipow),
    ("@=", operator.imatmul),
]


@pytest.mark.parametrize(("sign", "change"), IN_PLACE)
def test_in_place_on_a_leaf_that_requires_a_gradient(sign: str, change: Any) -> None:
    """Else a list of parameters would keep the old one, and `p -= lr * p.grad` train nothing."""
    x, other = Tensor(SQUARE, requires_grad=True), np.full((2, 2), 3.0)
    with pytest.raises(
        RuntimeError, match=rf"^{re.escape(sign)} on a leaf .* minigrad\.no_grad\(\)"
    ):
        change(x, other)
    np.testing.assert_array_equal(x.data, SQUARE)
    plain = change(np.array(SQUARE, float), other) if sign != "@=" else np.array(SQUARE) @ other
    with mg.no_grad():
        assert change(x, other) is x
    np.testing.assert_array_equal(x.data, plain)
    assert x.requires_grad
    with (
        mg.no_grad(),
        pytest.raises(ValueError, match=r"data has shape \(3, 2, 2\), wanted \(2, 2\)"),
    ):
        x += np.ones((3, 2, 2))


def test_entries_are_not_assigned() -> None:
    with pytest.raises(TypeError, match=r"a = t\.numpy\(\), and assign t\.data = a"):
        Tensor(SQUARE)[0] = 1


def test_a_tensor_of_float64_among_float32() -> None:
    x, y = Tensor(np.ones(2, F4), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    z = x * y
    assert z.dtype == F8
    z.backward([2, 3])
    assert x.grad is not None
    assert x.grad.dtype == F4
    assert y.grad is not None
    assert y.grad.dtype == F8


METHODS: dict[str, tuple[Callable[[Tensor], Any], Callable[[Tensor], Any]]] = {
    "exp": (lambda x: x.exp(), mg.exp),
    "log": (lambda x: x.log(), mg.log),
    "sqrt": (lambda x: x.sqrt(), mg.sqrt),
    "abs": (lambda x: x.abs(), mg.abs),
    "tanh": (lambda x: x.tanh(), mg.tanh),
    "sigmoid": (lambda x: x.sigmoid(), mg.sigmoid),
    "erf": (lambda x: x.erf(), mg.erf),
    "relu": (lambda x: x.relu(), mg.relu),
    "gelu": (lambda x: x.gelu("tanh"), lambda x: mg.gelu(x, "tanh")),
    "clip": (lambda x: x.clip(2, 4), lambda x: mg.clip(x, 2, 4)),
    "sum": (lambda x: x.sum(1, True), lambda x: mg.sum(x, 1, True)),
    "mean": (lambda x: x.mean(1, True), lambda x: mg.mean(x, 1, True)),
    "max": (lambda x: x.max(1, True), lambda x: mg.max(x, 1, True)),
    "min": (lambda x: x.min(1, True), lambda x: mg.min(x, 1, True)),
    "var": (lambda x: x.var(1, True, 1), lambda x: mg.var(x, 1, True, 1)),
    "std": (lambda x: x.std(1, True, 1), lambda x: mg.std(x, 1, True, 1)),
    "norm": (lambda x: x.norm(1, True), lambda x: mg.norm(x, 1, True)),
    "logsumexp": (lambda x: x.logsumexp(1, True), lambda x: mg.logsumexp(x, 1, True)),
    "softmax": (lambda x: x.softmax(0), lambda x: mg.softmax(x, 0)),
    "log_softmax": (lambda x: x.log_softmax(0), lambda x: mg.log_softmax(x, 0)),
    "reshape": (lambda x: x.reshape(3, 2), lambda x: mg.reshape(x, (3, 2))),
    "reshape to a tuple": (lambda x: x.reshape((3, 2)), lambda x: mg.reshape(x, (3, 2))),
    "reshape to one axis": (lambda x: x.reshape(-1), lambda x: mg.reshape(x, -1)),
    "transpose": (lambda x: x.transpose(), mg.transpose),
    "transpose axes": (lambda x: x.transpose(1, 0), lambda x: mg.transpose(x, (1, 0))),
    "transpose a tuple": (lambda x: x.transpose((1, 0)), lambda x: mg.transpose(x, (1, 0))),
    "swapaxes": (lambda x: x.swapaxes(0, 1), lambda x: mg.swapaxes(x, 0, 1)),
    "squeeze": (lambda x: x[:1].squeeze(0), lambda x: mg.squeeze(x[:1], 0)),
    "expand_dims": (lambda x: x.expand_dims(1), lambda x: mg.expand_dims(x, 1)),
    "broadcast_to": (lambda x: x.broadcast_to((2, 2, 3)), lambda x: mg.broadcast_to(x, (2, 2, 3))),
    "split": (lambda x: x.split(3, 1)[2], lambda x: mg.split(x, 3, 1)[2]),
}


@pytest.mark.parametrize("name", METHODS)
def test_method_is_the_operation_of_its_name(name: str) -> None:
    method, function = METHODS[name]
    ours, want = method(Tensor(ONE)), function(Tensor(ONE))
    assert ours.shape == want.shape
    np.testing.assert_array_equal(ours.data, want.data)


def test_every_method_of_an_operation_is_tried() -> None:
    methods = {name for name in mg.ops.__all__ if hasattr(Tensor, name)}
    assert methods == {name.split()[0] for name in METHODS}
