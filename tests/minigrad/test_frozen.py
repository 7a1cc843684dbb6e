"""Frozen weights cost nothing: what is not needed is not computed, and changes nothing else."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest
from cases import Array

import minigrad as mg
from minigrad import Tensor, kernels, ops, threads

BACKENDS = mg.available_backends()
USES: dict[str, tuple[Callable[..., Tensor], Callable[[int], list[tuple[int, ...]]]]] = {
    "linear": (mg.linear, lambda rows: [(rows, 5), (40, 5), (40,)]),
    "mlp": (mg.mlp, lambda rows: [(rows, 5), (270, 5), (270,), (7, 270), (7,)]),
    "mlp, its hidden layer kept": (mg.mlp, lambda n: [(n, 256), (30, 256), (30,), (7, 30), (7,)]),
    "layer_norm": (mg.layer_norm, lambda rows: [(rows, 5), (5,), (5,)]),
    "embedding": (
        lambda weight: mg.embedding(np.arange(90) % 9, weight),
        lambda _: [(9, 5)],
    ),
}


@pytest.fixture(params=BACKENDS)
def twin(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """numba+blas as well; and two threads, however little there is to do."""
    before = mg.get_backend(), mg.get_num_threads()
    mg.set_backend(request.param)
    mg.set_num_threads(2)
    with mock.patch.object(threads, "_WORTHWHILE", 0):
        assert callable(kernels.linear)  # which loads the module
        assert kernels._twin is not None
        yield kernels._twin
    mg.set_backend(before[0])
    mg.set_num_threads(before[1])


def gradients(f: Any, arrays: list[Array], needed: Any, dy: Array) -> list[Array | None]:
    leaves = [Tensor(a, requires_grad=n) for a, n in zip(arrays, needed, strict=True)]
    f(*leaves).backward(dy)
    return [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 5, 200])  # from 17 rows on, the compiled kernels differ
@pytest.mark.parametrize("name", USES)
@pytest.mark.usefixtures("twin")
def test_the_same_bits_whatever_else_is_frozen(
    name: str, rows: int, dtype: Any, rng: np.random.Generator
) -> None:
    f, shapes = USES[name]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes(rows)]
    dy = rng.standard_normal(f(*map(Tensor, arrays)).shape).astype(dtype)
    whole = gradients(f, arrays, [True] * len(arrays), dy)
    for needed in itertools.product((True, False), repeat=len(arrays)):
        if not any(needed):
            continue
        found = gradients(f, arrays, needed, dy)
        assert [grad is not None for grad in found] == list(needed)
        for ours, want in zip(found, whole, strict=True):
            if ours is not None:
                assert ours.dtype == dtype
                np.testing.assert_array_equal(ours, want)


@pytest.mark.parametrize("name", USES)
@pytest.mark.usefixtures("backend")
def test_nothing_is_recorded_where_all_is_frozen(name: str) -> None:
    f, shapes = USES[name]
    y = f(*[Tensor(np.ones(shape)) for shape in shapes(3)])
    assert not y.requires_grad
    assert y._node is None


@pytest.mark.parametrize("rows", [5, 40])
@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_a_kernel_gives_only_what_is_needed(name: str, rows: int, twin: ModuleType) -> None:
    """And is told so: the results that no input needs are None."""
    f, shapes = USES[name]
    arrays = [np.ones(shape) for shape in shapes(rows)]
    kernel = getattr(twin, f"{name}_vjp")
    given = []

    def spied(*args: Any) -> Any:
        given.append(kernel(*args))
        return given[-1]

    needed = [True] + [False] * (len(arrays) - 1)
    with mock.patch.object(kernels._twin, f"{name}_vjp", spied, create=True):
        gradients(f, arrays, needed, np.ones(f(*map(Tensor, arrays)).shape))
        gradients(f, arrays, needed[::-1], np.ones(f(*map(Tensor, arrays)).shape))
    assert [[g is not None for g in result] for result in given] == [needed, needed[::-1]]


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (mg.linear, [(20, 300), (6000, 300), (6000,)]),
        (mg.mlp, [(20, 300), (6000, 300), (6000,), (300, 6000), (300,)]),
    ],
    ids=["linear", "mlp"],
)
@pytest.mark.usefixtures("twin")
def test_no_array_is_as_large_as_the_frozen_weight(f: Any, shapes: Any) -> None:
    arrays = [np.ones(shape) for shape in shapes]
    gradients(f, arrays, [True] * len(arrays), f(*map(Tensor, arrays)).data)  # compiles
    peaks = []
    for frozen in (True, False):
        leaves = [Tensor(a, requires_grad=not frozen or i == 0) for i, a in enumerate(arrays)]
        y = f(*leaves)
        dy = np.ones(y.shape)
        tracemalloc.start()
        y.backward(dy)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < arrays[1].nbytes / 2 < arrays[1].nbytes <= peaks[1]


def test_a_vjp_that_asks_is_told() -> None:
    told = []

    @mg.differentiable
    def product(a, b, /):  # type: ignore[no-untyped-def]
        def vjp(dy, needed):  # type: ignore[no-untyped-def]
            told.append(needed)
            return dy * b if needed[0] else None, dy * a if needed[1] else None

        return a * b, vjp

    for a, b in ((True, True), (True, False), (False, True)):
        x, y = Tensor([2.0], requires_grad=a), Tensor([3.0], requires_grad=b)
        with mg.tracing():
            z = product(x, y)
        assert "test_frozen.py" in str(mg.trace(z).nodes[-1].vjp)
        z.sum().backward()
        assert (x.grad, y.grad) == ([3] if a else None, [2] if b else None)
    assert told == [(True, True), (True, False), (False, True)]


def test_a_trace_names_the_vjp_that_asks() -> None:
    """And not what tells it."""
    with mg.tracing():
        y = mg.linear(Tensor(np.ones((2, 3)), requires_grad=True), np.ones((4, 3)), np.ones(4))
    line = mg.trace(y).nodes[-1].vjp
    assert line is not None
    assert line.file == ops.linear.__wrapped__.__code__.co_filename  # type: ignore[attr-defined]
