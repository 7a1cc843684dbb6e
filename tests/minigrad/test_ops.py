"""What holds for every operation, from its row in registry.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import Array, Case, generators
from deep import record
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import EXACT, ROWS, Row, compare, error, leaves_of

import minigrad as mg
from minigrad import Tensor, ops

pytestmark = pytest.mark.usefixtures("backend")

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
SEVERAL = {
    *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "clip", "where"),
    *("concatenate", "stack", "matmul", "linear", "layer_norm", "causal_attention", "mlp"),
    *("rnn", "gru", "decayed_attention"),  # not selective_scan: a dt that is u may be negative
}
several = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name in SEVERAL], ids=lambda row: row.name
)
fewer = settings(max_examples=settings().max_examples // 2)

# As EXACT for float32, which rounds at 6e-8.
NEAR = 2e-5


def assert_close(ours: Any, want: Array, tolerance: float, message: str = "") -> None:
    ours = np.asarray(ours)
    assert ours.shape == want.shape, message
    assert error(ours, want) <= tolerance, message


def gradients_of(inputs: list[Any]) -> list[Array | None]:
    return [x.grad for x in inputs if isinstance(x, Tensor)]


def test_every_operation_has_a_row() -> None:
    assert sorted(row.name for row in ROWS) == sorted(ops.__all__)
    assert all(getattr(mg, name) is getattr(ops, name) for name in ops.__all__)


@each_row
@given(data=st.data())
def test_value_and_gradients(row: Row, data: st.DataObject) -> None:
    case, rng = data.draw(row.cases), data.draw(generators)
    errors = []
    for what, ours, want in compare(row, case, rng):
        assert ours.dtype == np.float64
        assert_close(ours, want, EXACT, what)
        errors.append(error(ours, want))
    record(row.name, errors[0], max(errors[1:]))


@each_row
@fewer
@given(data=st.data())
def test_float32_stays_and_is_near_float64(row: Row, data: st.DataObject) -> None:
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs = leaves_of(row, case, np.float32)
    exact = [
        Tensor(x.data.astype(float), requires_grad=True) if isinstance(x, Tensor) else x
        for x in inputs
    ]
    y, want = row(*inputs, **case.settings), row(*exact, **case.settings)
    assert y.dtype == np.float32
    assert_close(y.data, want.data, NEAR, "value")
    cotangent = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(cotangent)
    want.backward(cotangent)
    near = NEAR + 4 * np.finfo(np.float32).eps * row.condition(*case.arrays, **case.settings)
    for ours, wanted in zip(gradients_of(inputs), gradients_of(exact), strict=True):
        assert ours is not None
        assert wanted is not None
        assert ours.dtype == np.float32
        assert_close(ours, wanted, near, "gradient")  # type: ignore[arg-type]


@several
@fewer
@given(data=st.data())
def test_what_meets_float32_becomes_float32(row: Row, data: st.DataObject) -> None:
    """Python numbers and lists, NumPy scalars and arrays of float64 or integers: none widens."""
    case = data.draw(row.cases)
    kinds: list[Callable[[Array], Any]] = [
        lambda array: array,
        lambda array: array[()],
        lambda array: array.tolist() if array.size else array,
        lambda array: np.ones(array.shape, np.int64)[()],
    ]
    variables = row.variables(case)
    first = data.draw(st.sampled_from(variables))
    inputs: list[Any] = [
        data.draw(st.sampled_from(kinds))(array) if i in variables else array
        for i, array in enumerate(case.arrays)
    ]
    inputs[first] = leaf = Tensor(case.arrays[first].astype(np.float32), requires_grad=True)
    y = row(*inputs, **case.settings)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert leaf.grad is not None
    assert leaf.grad.dtype == np.float32


@each_row
@fewer
@given(data=st.data())
def test_only_what_is_wanted_is_given(row: Row, data: st.DataObject) -> None:
    """One input at a time: its gradient is the same as among all."""
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs = leaves_of(row, case)
    y = row(*inputs, **case.settings)
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent)
    for i in row.variables(case):
        alone: list[Any] = [Tensor(x) if isinstance(x, Tensor) else x for x in inputs]
        alone[i].requires_grad = True
        row(*alone, **case.settings).backward(cotangent)
        np.testing.assert_array_equal(alone[i].grad, inputs[i].grad)
        assert all(x.grad is None for k, x in enumerate(alone) if k != i and isinstance(x, Tensor))
    none = [Tensor(x) if isinstance(x, Tensor) else x for x in inputs]
    assert not row(*none, **case.settings).requires_grad


# -- memory ----------------------------------------------------------------------------------------


def strided(array: Array, layout: str) -> Array | Tensor:
    """The array in another layout; views are taken of Tensors, because a constructor copies."""
    backward = (slice(None, None, -1),) * array.ndim
    if layout == "fortran":
        return Tensor(np.array(array, order="F"))
    if layout == "transposed":
        return mg.transpose(Tensor(array.T.copy()))
    if layout == "reversed":
        return Tensor(array[backward].copy())[backward]
    # Stride 0 and read-only: the first entry along the first axis, over and over.
    return mg.broadcast_to(Tensor(array[:1] if array.ndim else array), array.shape)


@each_row
@fewer
@given(data=st.data())
def test_layouts(row: Row, data: st.DataObject) -> None:
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs: list[Any] = []
    plain: list[Any] = []
    for i, array in enumerate(case.arrays):
        if i in row.variables(case):
            usable = ["fortran", "transposed", "reversed", *["repeated"] * (array.size > 0)]
            inputs.append(strided(array, data.draw(st.sampled_from(usable))))
            inputs[-1].requires_grad = True
            plain.append(Tensor(inputs[-1].data.copy(order="C"), requires_grad=True))
        else:
            inputs.append(np.stack([array, array], axis=-1)[..., 0])
            inputs[-1].flags.writeable = False
            plain.append(array)
    y, want = row(*inputs, **case.settings), row(*plain, **case.settings)
    assert_close(y.data, want.data, EXACT, "value")
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent.copy(order="F"))
    want.backward(cotangent)
    for ours, wanted in zip(gradients_of(inputs), gradients_of(plain), strict=True):
        assert wanted is not None
        assert_close(ours, wanted, EXACT, "gradient")


@each_row
@fewer
@given(data=st.data())
def test_repeated_cotangent(row: Row, data: st.DataObject) -> None:
    """The cotangent that comes from a sum is one number, repeated with stride 0."""
    case = data.draw(row.cases)
    inputs, plain = leaves_of(row, case), leaves_of(row, case)
    mg.sum(row(*inputs, **case.settings)).backward(0.7)
    y = row(*plain, **case.settings)
    y.backward(np.full(y.shape, 0.7))
    for ours, wanted in zip(gradients_of(inputs), gradients_of(plain), strict=True):
        assert wanted is not None
        assert_close(ours, wanted, EXACT, "gradient")


@each_row
@fewer
@given(data=st.data())
def test_nothing_given_is_changed(row: Row, data: st.DataObject) -> None:
    """What is kept is not changed either: a second backward gives the same."""
    case, rng = data.draw(row.cases), data.draw(generators)
    before = [array.copy() for array in case.arrays]
    inputs = leaves_of(row, case)
    y = row(*inputs, **case.settings)
    value, cotangent = y.numpy(), rng.standard_normal(y.shape)
    # `add` hands one and the same array to both of its operands: y's rule, and `beside`.
    beside = Tensor(np.zeros(y.shape), requires_grad=True)
    given_cotangent = cotangent.copy()
    total = y + beside
    total.backward(given_cotangent, retain_graph=True)
    once = [None if grad is None else grad.copy() for grad in gradients_of(inputs)]
    np.testing.assert_array_equal(beside.grad, cotangent)
    np.testing.assert_array_equal(given_cotangent, cotangent)
    np.testing.assert_array_equal(y.data, value)
    for i, (given_array, array) in enumerate(zip(case.arrays, before, strict=True)):
        np.testing.assert_array_equal(given_array, array)
        now = inputs[i].data if isinstance(inputs[i], Tensor) else inputs[i]
        np.testing.assert_array_equal(now, array)
    for x in inputs:
        if isinstance(x, Tensor):
            x.zero_grad()
    total.backward(cotangent)
    for again, first in zip(gradients_of(inputs), once, strict=True):
        np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name in SEVERAL or row.constants], ids=lambda row: row.name
)
@fewer
@given(data=st.data())
def test_callers_may_reuse_their_arrays(row: Row, data: st.DataObject) -> None:
    """Writing to them between forward and backward changes no gradient."""
    case, rng = data.draw(row.cases), data.draw(generators)
    wanted = leaves_of(row, case)
    want = row(*wanted, **case.settings)
    cotangent = rng.standard_normal(want.shape)
    want.backward(cotangent)
    only = data.draw(st.sampled_from(row.variables(case)))
    inputs: list[Any] = [array.copy() for array in case.arrays]
    inputs[only] = leaf = Tensor(inputs[only], requires_grad=True)
    y = row(*inputs, **case.settings)
    for array in inputs:
        if array is not leaf:
            array[...] = 0
    y.backward(cotangent)
    assert_close(leaf.grad, wanted[only].grad, EXACT)


def shared(row: Row, case: Case) -> list[int]:
    """The positions of the first variables of one shape, if there are several."""
    variables = row.variables(case)
    for i in variables:
        same = [k for k in variables if case.arrays[k].shape == case.arrays[i].shape]
        if len(same) > 1:
            return same
    return []


@several
@fewer
@given(data=st.data())
def test_one_tensor_as_several_arguments(row: Row, data: st.DataObject) -> None:
    """Its gradient is the sum of the gradients of all these arguments."""
    case = data.draw(row.cases.filter(lambda case: shared(row, case)))
    rng, places = data.draw(generators), shared(row, case)
    arrays = [case.arrays[places[0]] if i in places else a for i, a in enumerate(case.arrays)]
    case = Case(tuple(arrays), case.settings)
    separate, inputs = leaves_of(row, case), leaves_of(row, case)
    for i in places:
        inputs[i] = inputs[places[0]]
    y, want = row(*inputs, **case.settings), row(*separate, **case.settings)
    np.testing.assert_array_equal(y.data, want.data)
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent)
    want.backward(cotangent)
    total = np.sum([separate[i].grad for i in places], axis=0)
    assert_close(inputs[places[0]].grad, total, EXACT)
