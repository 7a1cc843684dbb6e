"""What the tape leaves behind: nothing, as soon as nobody needs it."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from test_tape import assert_equal, leaf

import minigrad as mg
from minigrad import Tensor


@pytest.fixture
def _no_gc() -> Iterator[None]:
    """Nothing but reference counts frees memory: a cycle would stay."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def activation(x: Tensor) -> tuple[Tensor, list[weakref.ref[Any]]]:
    """A small network's output, and references to a tensor and an array on the way to it."""
    h = mg.tanh(x * 2)
    y = mg.sum(mg.softmax(h * h) * h)
    return y, [weakref.ref(h), weakref.ref(h._data)]


@pytest.mark.usefixtures("_no_gc")
def test_backward_frees_what_was_kept() -> None:
    x = leaf([1, 2])
    y, (tensor, array) = activation(x)
    assert tensor() is None  # the tape holds arrays, not Tensors
    assert array() is not None
    y.backward()
    assert array() is None


@pytest.mark.usefixtures("_no_gc")
def test_backward_lets_go_of_the_leaves() -> None:
    x = leaf([1, 2])
    y = (x * x).sum()
    y.backward()
    held = weakref.ref(x)
    del x
    assert held() is None
    assert y.item() == 5


def test_retain_graph_keeps_it() -> None:
    y, (_, array) = activation(leaf([1, 2]))
    y.backward(retain_graph=True)
    assert array() is not None
    del y
    assert array() is None


@pytest.mark.usefixtures("_no_gc")
def test_dropping_a_graph_frees_it() -> None:
    y, (_, array) = activation(leaf([1, 2]))
    del y
    assert array() is None


@pytest.mark.usefixtures("_no_gc")
def test_memory_falls_as_the_walk_goes_on() -> None:
    """When backward reaches the first operation, what the last one kept is gone."""
    alive = []

    @mg.differentiable
    def look(a: Any, /) -> Any:
        def vjp(dy: Any) -> Any:
            alive.append(array() is not None)
            return (dy,)

        return a + 0, vjp

    x = leaf([1, 2])
    h = mg.exp(look(x))
    array = weakref.ref(h._data)
    y = mg.sum(h)
    del h
    y.backward()
    assert alive == [False]


@pytest.mark.usefixtures("_no_gc")
def test_cotangents_go_as_the_walk_goes_on() -> None:
    seen: list[weakref.ref[Any]] = []
    alive = []

    @mg.differentiable
    def look(a: Any, /) -> Any:
        def vjp(dy: Any) -> Any:
            alive.append(sum(cotangent() is not None for cotangent in seen))
            seen.append(weakref.ref(dy))
            return (dy * 1,)

        return a + 0, vjp

    look(look(look(look(leaf([1, 2]))))).backward([1, 1])
    assert alive == [0, 1, 1, 1]  # the first, which the walk started from, stays


DEPTH = 150_000  # far beyond any recursion limit, and enough to overflow the C stack


@pytest.mark.usefixtures("_no_gc")
def test_a_long_chain_is_built_walked_and_freed() -> None:
    assert sys.getrecursionlimit() < DEPTH
    x = leaf([1])
    first = y = x + 1
    array = weakref.ref(first._data)
    del first
    for _ in range(DEPTH):
        y = y * 1.0
    assert array() is not None
    y.backward()
    assert_equal(x.grad, [1])
    assert array() is None


@pytest.mark.usefixtures("_no_gc")
def test_a_long_chain_is_freed_without_backward() -> None:
    x = leaf([1])
    y = mg.exp(x)
    array = weakref.ref(y._data)
    for _ in range(DEPTH):
        y = y + 1.0
    assert array() is not None
    del y
    assert array() is None
    assert x.grad is None
