"""Optimizers step parameters together, in flat arrays: nothing of that may be seen from outside."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import Array

from minigrad import Tensor, kernels, optim

Make = Callable[[list[Tensor]], Any]
SGD_AND_ADAMW: list[Make] = [lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.AdamW(p, 0.1)]
SHAPES = [(2, 3), (), (5,), (0, 2), (3, 2), (5,), (1,)]
DTYPES = [np.float32, np.float32, np.float64, np.float32, np.float32, np.float64, np.float32]


def parameters(rng: np.random.Generator) -> list[Tensor]:
    pairs = zip(SHAPES, DTYPES, strict=True)
    return [Tensor(rng.normal(size=s).astype(d), requires_grad=True) for s, d in pairs]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("make", SGD_AND_ADAMW)
def test_together_is_alone_bit_for_bit(make: Make, rng: np.random.Generator) -> None:
    """Of two dtypes, some without a gradient, with values and states set by hand in between."""
    together = parameters(rng)
    alone = [Tensor(param.data, requires_grad=True) for param in together]
    optimizer, others = make(together), [make([param]) for param in alone]
    for step in range(12):
        has_gradient = rng.random(len(SHAPES)) < (0.6 if 3 <= step < 8 else 1)
        for ours, single, has in zip(together, alone, has_gradient, strict=True):
            grad = rng.normal(size=ours.shape).astype(ours.dtype)
            ours.grad, single.grad = (grad, grad.copy()) if has else (None, None)
        if step in (2, 9):
            for param in (together[4], alone[4]):
                param.data = np.full(param.shape, step)
        if step == 10:
            optimizer.load_state_dict({k: v / 2 for k, v in optimizer.state_dict().items()})
            for other in others:
                other.load_state_dict({k: v / 2 for k, v in other.state_dict().items()})
        before = [(param._data, param.numpy()) for param in together]
        optimizer.step()
        for other in others:
            other.step()
        for ours, single in zip(together, alone, strict=True):
            assert (ours.shape, ours.dtype) == (single.shape, single.dtype)
            np.testing.assert_array_equal(ours.data, single.data)
        for old, values in before:  # a recorded graph may hold it
            np.testing.assert_array_equal(old, values)
        for name, kept in optimizer.state_dict().items():
            kind, number = name.split("/")
            np.testing.assert_array_equal(kept, others[int(number)].state_dict()[f"{kind}/0"])


def test_a_step_begins_at_what_was_set_by_hand() -> None:
    params = [Tensor(np.zeros(2), requires_grad=True) for _ in range(3)]
    optimizer = optim.SGD(params, 0.5)
    step_with(params, optimizer, [np.ones(2)] * 3)
    params[1].data = np.array([7.0, 8.0])
    step_with(params, optimizer, [np.ones(2)] * 3)
    np.testing.assert_array_equal([p.data for p in params], [[-1, -1], [6.5, 7.5], [-1, -1]])


def step_with(params: list[Tensor], optimizer: Any, grads: list[Array]) -> None:
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad
    optimizer.step()


@pytest.mark.parametrize("make", [*SGD_AND_ADAMW, lambda p: optim.Muon(p, 0.1)])
def test_a_deep_copy_goes_its_own_way(make: Make, rng: np.random.Generator) -> None:
    """NumPy copies a view and the array that it is a view of to two arrays."""
    params = [Tensor(rng.normal(size=(2, 3)), requires_grad=True) for _ in range(2)]
    optimizer = make(params)
    grads = rng.normal(size=(3, 2, 2, 3))
    step_with(params, optimizer, grads[0])
    copied_params, copied = copy.deepcopy((params, optimizer))
    for some in grads[1:]:
        step_with(params, optimizer, some)
    first = optimizer.state_dict(), [param.data for param in params]
    for some in grads[1:]:
        step_with(copied_params, copied, some)
    state, want = copied.state_dict(), first[0]
    for name in state:
        np.testing.assert_array_equal(state[name], want[name])
    np.testing.assert_array_equal([param.data for param in copied_params], first[1])


def test_all_parameters_are_one_call_that_copies_none(monkeypatch: pytest.MonkeyPatch) -> None:
    params = [Tensor(np.ones(shape), requires_grad=True) for shape in ((2, 3), (4,), ())]
    optimizer, calls = optim.AdamW(params), []
    known = kernels.adamw

    def adamw(param: Array, *args: Any) -> Array:
        calls.append(param)
        return known(param, *args)

    monkeypatch.setattr(kernels, "adamw", adamw, raising=False)
    for _ in range(2):
        old = [param._data for param in params]
        step_with(params, optimizer, [np.ones(param.shape) for param in params])
    assert [call.shape for call in calls] == [(11,), (11,)]
    assert all(np.shares_memory(calls[1], array) for array in old)
    assert not any(np.shares_memory(calls[1], param._data) for param in params)


def test_large_parameters_are_stepped_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's size in extra copies would be too much; small ones around them go together."""
    sizes, calls = [3, 4, 1 << 18, 1 << 18, 5, 6], []
    params = [Tensor(np.ones(size), requires_grad=True) for size in sizes]
    known = kernels.adamw

    def adamw(param: Array, *args: Any) -> Array:
        calls.append(param.size)
        return known(param, *args)

    monkeypatch.setattr(kernels, "adamw", adamw, raising=False)
    step_with(params, optim.AdamW(params), [np.ones(size) for size in sizes])
    assert calls == [(1 << 18) + 7, 1 << 18, 11]


@pytest.mark.parametrize("make", [*SGD_AND_ADAMW, lambda p: optim.Muon(p, 0.1)])
def test_a_step_that_is_refused_changes_nothing(make: Make) -> None:
    params = [Tensor(np.ones((2, 3)), requires_grad=True) for _ in range(2)]
    optimizer = make(params)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"grad has shape \(6,\), wanted \(2, 3\)"):
        step_with(params, optimizer, [np.ones((2, 3)), np.ones(6)])
    np.testing.assert_array_equal([param.data for param in params], 1)
    for name, kept in optimizer.state_dict().items():
        np.testing.assert_array_equal(kept, before[name])
