"""Ids, targets and indices: the right entries and gradients, or an error before a kernel runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import generators
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Tensor, kernels

pytestmark = pytest.mark.usefixtures("backend")

FIRST, LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
# Outside for 4 rows or classes: each is refused alone, as an array, and among valid ones.
OUTSIDE = [4, -5, FIRST, LAST, np.int8(-5), np.uint64(2**64 - 1), np.uint64(4), 2**63]
NO_INTEGERS = [1.0, np.float32(1), np.nan, "1", 1j, 2**70]


class Untouchable:
    """Replaces the kernels."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the kernel {name} was asked for")


@pytest.fixture
def _no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_twin", Untouchable())


def table() -> Tensor:
    return Tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)


def scores_for(target: Any) -> Tensor:
    return Tensor(np.zeros((*np.shape(target), 4)), requires_grad=True)


USES = {
    "embedding": lambda ids: mg.embedding(ids, table()),
    "cross_entropy": lambda target: mg.cross_entropy(scores_for(target), target),
    "nll_loss": lambda target: mg.nll_loss(scores_for(target), target),
    "getitem": lambda index: table()[index],
}
each_use = pytest.mark.parametrize("use", USES)


def among_others(number: Any) -> list[Any]:
    kind = np.asarray(number).dtype
    return [number, np.array(number), np.array([number]), np.array([[0, number], [1, 0]], kind)]


@each_use
@pytest.mark.usefixtures("_no_kernels")
@pytest.mark.parametrize("number", OUTSIDE)
def test_out_of_range(use: str, number: Any) -> None:
    for ids in among_others(number):
        with pytest.raises(IndexError, match=f"(id|target|index) {int(number)} "):
            USES[use](ids)


@each_use
@pytest.mark.usefixtures("_no_kernels")
@pytest.mark.parametrize("number", NO_INTEGERS)
def test_no_integers(use: str, number: Any) -> None:
    for ids in among_others(number):
        with pytest.raises((IndexError, TypeError)):
            USES[use](ids)


@each_use
@pytest.mark.usefixtures("_no_kernels")
def test_a_tensor_is_no_index(use: str) -> None:
    with pytest.raises((IndexError, TypeError)):
        USES[use](Tensor([1]))


@pytest.mark.usefixtures("_no_kernels")
@pytest.mark.parametrize("use", ["embedding", "cross_entropy", "nll_loss"])
@pytest.mark.parametrize("ids", [None, True, [True, False], [], -1])
def test_no_ids_or_targets(use: str, ids: Any) -> None:
    """Valid indices, but not ids: a new axis, a mask, an entry from the end, an empty list."""
    table()[np.resize(ids, 4) if ids == [True, False] else ids]
    with pytest.raises((IndexError, TypeError)):
        USES[use](ids)


@pytest.mark.parametrize("kind", ["i1", "u1", ">i2", "i8", "u8"])
@given(rng=generators, shape=st.sampled_from([(), (0,), (7,), (2, 5)]))
def test_rows_taken_are_the_product_with_one_hot_rows(
    kind: str, rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    """Most rows are taken more than once; a negative index counts from the end."""
    ids = np.array(rng.integers(0, 4, shape), kind)
    index = ids.astype(int) - 4 * rng.integers(0, 2, shape) if kind == "i8" else ids
    weights = [table() for _ in range(3)]
    cotangent = rng.standard_normal((*shape, 3))
    rows = [mg.embedding(ids, weights[0]), weights[1][index], np.eye(4)[ids] @ weights[2]]
    for y in rows:
        np.testing.assert_array_equal(y.data, rows[-1].data)
        y.backward(cotangent)
    for weight in weights:
        # Sums of at most ten numbers.
        ours, want = np.asarray(weight.grad), np.asarray(weights[-1].grad)
        np.testing.assert_allclose(ours, want, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ((), ...),
        ((), ()),
        ((), None),
        ((), True),
        ((), np.array(False)),
        ((0, 3), (slice(None), 1)),
        ((0, 3), []),
        ((0, 3), np.zeros(0, bool)),
        ((0, 3), np.zeros((0, 3), bool)),
        ((2, 0), 1),
        ((2, 0), [1, 1]),
    ],
)
def test_where_there_is_little_or_nothing(shape: tuple[int, ...], index: Any) -> None:
    x = Tensor(np.full(shape, 2.0), requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, x.data[index])
    y.backward(np.full(y.shape, 3.0))
    np.testing.assert_array_equal(x.grad, np.full(shape, 3.0 if y.size else 0.0))


def test_an_ignored_target_may_be_any_integer() -> None:
    for ignored, kind in ((FIRST, "i8"), (LAST, "i8"), (2**64 - 1, "u8"), (255, "u1")):
        x = scores_for([0, 0])
        loss = mg.cross_entropy(x, np.array([ignored, 3], kind), ignore_index=ignored)
        loss.backward()
        want = [[0.0] * 4, [0.25, 0.25, 0.25, -0.75]]
        np.testing.assert_allclose(np.asarray(x.grad), want)


@pytest.mark.parametrize("number", [128, 2**15, 2**16])
def test_numbers_that_small_integers_do_not_hold(number: int) -> None:
    """If such a number were stored in fewer bits, it would mean another row, class or place."""
    for use in (
        lambda x: mg.embedding([number], x[:, None]),
        lambda x: mg.cross_entropy(x, number, reduction="sum"),
        lambda x: mg.nll_loss(x, number, reduction="sum"),
        lambda x: x[[number]],
    ):
        x = Tensor(np.zeros(number + 1), requires_grad=True)
        y = use(x)
        y.backward(np.ones(y.shape))
        assert x.grad is not None
        assert np.abs(x.grad).argmax() == number
