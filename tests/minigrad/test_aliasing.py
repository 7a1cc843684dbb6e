"""What is written between forward and backward is refused, or changes no gradient.

And what backward gives is the caller's own: no gradient shares memory with anything.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from cases import Array, generators
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import ROWS, Row, leaves_of
from test_ops import gradients_of

from minigrad import Tensor, optim

pytestmark = pytest.mark.usefixtures("backend")

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
fewer = settings(max_examples=settings().max_examples // 4)


def step(x: Tensor, kind: Any) -> None:
    optimizer = kind([x], lr=1)
    x.grad = np.ones(x.shape, x.dtype)
    optimizer.step()
    x.zero_grad()


def writable_again(array: Array) -> Array:
    array.flags.writeable = True
    return array


def attacks(x: Tensor) -> Iterator[Callable[[], Any]]:
    """Ways to write to what a Tensor, or a view of it, holds."""
    for view in (x, x.detach(), x[...], x.reshape(-1), x.T, Tensor(x)):
        yield lambda view=view: view.data.fill(9)  # type: ignore[misc]
        yield lambda view=view: np.asarray(view).fill(9)  # type: ignore[misc]
        yield lambda view=view: view.numpy().fill(9)  # type: ignore[misc]
        yield lambda view=view: np.array(view, copy=False).fill(9)  # type: ignore[misc]
        yield lambda view=view: writable_again(view.data).fill(9)  # type: ignore[misc]
        base = view.data.base
        yield lambda base=base: writable_again(np.asarray(base)).fill(9)  # type: ignore[misc]
        yield lambda view=view: np.copyto(view.data, 9)  # type: ignore[misc]
        yield lambda view=view: setattr(view, "data", np.zeros(view.shape))  # type: ignore[misc]
    if x._node is None:
        yield lambda: step(x, optim.SGD)
        yield lambda: step(x, optim.AdamW)
        yield lambda: step(x, optim.Muon)  # refuses what is no matrix


def spoil(settings: Any) -> None:
    """Empty the lists and overwrite the arrays in an operation's settings."""
    if isinstance(settings, dict | tuple):
        for value in settings.values() if isinstance(settings, dict) else settings:
            spoil(value)
    elif isinstance(settings, list):
        settings.clear()
    elif isinstance(settings, np.ndarray):
        settings.fill(0)


@each_row
@fewer
@given(data=st.data())
def test_no_write_changes_a_gradient(row: Row, data: st.DataObject) -> None:
    case, rng = data.draw(row.cases), data.draw(generators)
    untouched = leaves_of(row, case)
    y = row(*untouched, **case.settings)
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent)

    sources = [array.copy() for array in case.arrays]
    own_settings = copy.deepcopy(case.settings)
    inputs = [
        Tensor(source, requires_grad=True) if i in row.variables(case) else source
        for i, source in enumerate(sources)
    ]
    y = row(*inputs, **own_settings)
    for source in sources:
        source.fill(0)
    spoil(own_settings)
    for x in (y, *[x for x in inputs if isinstance(x, Tensor)]):
        for attack in attacks(x):
            with contextlib.suppress(ValueError, AttributeError):
                attack()
    y.backward(cotangent)
    for ours, want in zip(gradients_of(inputs), gradients_of(untouched), strict=True):
        np.testing.assert_array_equal(ours, want)


@each_row
@fewer
@given(data=st.data())
def test_gradients_share_no_memory(row: Row, data: st.DataObject) -> None:
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs = leaves_of(row, case)
    y = row(*inputs, **case.settings)
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent, retain_graph=True)
    first = [grad.copy() for grad in gradients_of(inputs) if grad is not None]
    held = [y.data, cotangent, *case.arrays, *[x.data for x in inputs if isinstance(x, Tensor)]]
    for grad in gradients_of(inputs):
        assert grad is not None
        assert grad.flags.owndata
        assert not any(np.shares_memory(grad, other) for other in held)
        held.append(grad)
        grad.fill(9)
    for x in inputs:
        if isinstance(x, Tensor):
            x.zero_grad()
    y.backward(cotangent)
    for ours, want in zip(gradients_of(inputs), first, strict=True):
        np.testing.assert_array_equal(ours, want)
