"""The tape: what is recorded, the walk back over it, and what it leaves behind."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, optim


def leaf(data: Any) -> Tensor:
    return Tensor(np.array(data, float), requires_grad=True)


def assert_equal(ours: Any, want: Any) -> None:
    """Equal in every bit, since all numbers here are whole."""
    np.testing.assert_array_equal(ours, want)


# -- gradients by hand -----------------------------------------------------------------------------


def test_a_gradient_is_an_array_of_the_shape_and_dtype_of_its_leaf() -> None:
    for dtype in (np.float32, np.float64):
        for shape in ((), (1,), (2, 0), (2, 3)):
            x = Tensor(np.ones(shape, dtype), requires_grad=True)
            for _ in range(2):  # NumPy's sum of two 0-d arrays is not an array
                (x * x).sum().backward()
                x.sum().backward()
                x.backward(np.ones(shape))
                assert isinstance(x.grad, np.ndarray)
                assert x.grad.shape == shape
                assert x.grad.dtype == dtype


def test_diamond() -> None:
    """y = (x + 1)(2 x): dy/dx = 4 x + 2."""
    x = leaf([3, -1])
    ((x + 1) * (2 * x)).backward([1, 10])
    assert_equal(x.grad, [14, -20])


def test_fan_out_through_nested_diamonds() -> None:
    """a = x^2, b = a x = x^3, c = a b = x^5, y = c + b + a + x."""
    x = leaf([2, -1])
    a = x * x
    b = a * x
    (a * b + b + a + x).backward([1, 1])
    assert_equal(x.grad, [5 * 16 + 3 * 4 + 2 * 2 + 1, 5 + 3 - 2 + 1])


def test_a_node_waits_for_all_that_use_it() -> None:
    """Two paths lead from y to a: its vjp must not run before the longer one has arrived."""
    x = leaf(2)
    for order in (1, -1):
        a = x * 3
        short, long = [a * 5, ((a + 1) * 2 + 1) * 7][::order]
        (short + long).backward()
        assert_equal(x.grad, 3 * (5 + 14))
        x.zero_grad()


def test_doubling_thirty_times_takes_thirty_steps() -> None:
    """There are 2^30 paths from y to x."""
    x = leaf(1)
    y = x
    for _ in range(30):
        y = y + y
    y.backward()
    assert_equal(x.grad, 2.0**30)


def test_a_leaf_used_directly_and_through_others() -> None:
    x, w = leaf([[1, 2], [3, 4]]), leaf([10, 20])
    (x * w + w).sum().backward()
    assert_equal(x.grad, [[10, 20], [10, 20]])
    assert_equal(w.grad, [4 + 2, 6 + 2])


def test_gradients_accumulate() -> None:
    x = leaf([1, 2])
    (x * x).backward([1, 1])
    first = x.grad
    (3 * x).backward([1, 1])
    assert_equal(x.grad, [2 + 3, 4 + 3])
    assert_equal(first, [2, 4])
    x.zero_grad()
    assert x.grad is None


def test_only_leaves_below_get_a_gradient() -> None:
    x, other, constant = leaf(1), leaf(2), Tensor(3)
    y = x * constant
    z = y * other
    y.backward(retain_graph=True)
    assert other.grad is None
    assert constant.grad is None
    assert y.grad is None
    z.backward()
    assert_equal(other.grad, 3)
    assert_equal(x.grad, 3 + 6)


def test_backward_on_a_leaf() -> None:
    x, seed = leaf([1, 2]), np.array([3.0, 4.0])
    x.backward(seed)
    x.backward(seed)
    seed[:] = 0
    assert_equal(x.grad, [6, 8])


def test_the_seed() -> None:
    x = leaf([[1, 2, 3]])
    y = 2 * x
    with pytest.raises(ValueError, match=r"backward\(\) on shape \(1, 3\) needs a grad of that"):
        y.backward()
    with pytest.raises(ValueError, match=r"grad has shape \(3,\), wanted \(1, 3\)"):
        y.backward(np.ones(3))
    with pytest.raises(ValueError, match=r"grad has shape \(\), wanted \(1, 3\)"):
        y.backward(1.0)
    y.backward(Tensor([[1, 2, 3]]))
    assert_equal(x.grad, [[2, 4, 6]])
    with pytest.raises(RuntimeError, match="requires no gradient"):
        Tensor(1).backward()


def test_one_entry_needs_no_seed() -> None:
    for shape in ((), (1,), (1, 1)):
        x = leaf(np.full(shape, 3))
        (x * x).backward()
        assert_equal(x.grad, np.full(shape, 6))


# -- what is recorded ------------------------------------------------------------------------------


def test_no_grad_as_a_block_and_as_a_decorator() -> None:
    @mg.no_grad()
    def double(x: Tensor) -> Tensor:
        assert not mg.is_recording()
        return 2 * x

    x = leaf(1)
    for _ in range(2):
        assert not double(x).requires_grad
        assert mg.is_recording()
    with mg.no_grad():
        with mg.no_grad():
            assert not mg.is_recording()
        assert not mg.is_recording()
        assert not (x * x).requires_grad
        assert Tensor(1, requires_grad=True).requires_grad
    assert (x * x).requires_grad


def test_no_grad_ends_with_an_error() -> None:
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        raise ZeroDivisionError
    assert mg.is_recording()


def test_no_grad_is_of_one_thread() -> None:
    inside, outside = threading.Event(), threading.Event()
    seen = []

    def quiet() -> None:
        with mg.no_grad():
            inside.set()
            assert outside.wait(60)
            seen.append(mg.is_recording())

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(60)
    recorded_here = mg.is_recording()
    with mg.no_grad():
        outside.set()
        thread.join()
        other = threading.Thread(target=lambda: seen.append(mg.is_recording()))
        other.start()
        other.join()
    assert recorded_here
    assert seen == [False, True]


def test_threads_each_walk_their_own_graph() -> None:
    """The graphs share a weight, which no thread changes."""
    w = leaf(np.arange(4))
    leaves = [leaf(np.full(4, n)) for n in range(4)]

    def work(x: Tensor) -> None:
        for _ in range(50):
            (x * w.detach()).sum().backward()

    threads = [threading.Thread(target=work, args=(x,)) for x in leaves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for x in leaves:
        assert_equal(x.grad, 50 * np.arange(4))


def test_threads_add_to_one_leaf() -> None:
    """They must add one after the other: if both read the sum first, one gradient is lost."""
    x, both = leaf([0, 0]), threading.Barrier(2)

    class Meeting(np.ndarray):
        def __add__(self, other: Any) -> Any:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)
            return np.asarray(self) + other

    x.grad = np.zeros(2).view(Meeting)
    threads = [threading.Thread(target=x.backward, args=([1, 1],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_equal(x.grad, [2, 2])


def test_detach_is_an_island() -> None:
    x = leaf(3)
    d = (x * x).detach()
    assert not d.requires_grad
    (d * x).backward()
    assert_equal(x.grad, 9)
    assert not (d * 2).requires_grad


def test_no_grad_is_an_island() -> None:
    x = leaf(3)
    with mg.no_grad():
        d = x * x
    (d * x + x).backward()
    assert_equal(x.grad, 9 + 1)


def test_what_needs_no_gradient_is_not_computed() -> None:
    calls = []

    @mg.differentiable
    def product(a: Any, b: Any, /) -> Any:
        def da() -> Any:
            calls.append("a")
            return dy_seen[0] * b

        def vjp(dy: Any) -> Any:
            dy_seen.append(dy)
            return da, lambda: calls.append("b")

        dy_seen: list[Any] = []
        return a * b, vjp

    x = leaf(2)
    product(x, Tensor(3)).backward()
    assert calls == ["a"]
    assert_equal(x.grad, 3)


# -- going through a graph twice -------------------------------------------------------------------


def test_a_freed_graph_says_so() -> None:
    x = leaf(3)
    y = x * x
    z = y * y
    y.backward()
    for spent in (y, z):
        with pytest.raises(RuntimeError, match=r"an earlier backward.* freed.*retain_graph=True"):
            spent.backward()
    assert_equal(x.grad, 6)


def test_a_retained_graph_can_be_gone_through_again() -> None:
    x = leaf(3)
    y = x * x
    for times in (1, 2, 3):
        y.backward(retain_graph=True)
        assert_equal(x.grad, 6 * times)
    y.backward()
    assert_equal(x.grad, 24)
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_a_rule_that_raises_leaves_all_leaves_alone() -> None:
    @mg.differentiable
    def trap(a: Any, /) -> Any:
        def vjp(dy: Any) -> Any:
            raise ArithmeticError("trap")

        return a + 0, vjp

    x, y = leaf(1), leaf(2)
    y.grad = np.array(5.0)
    # y's gradient is known before the walk comes to the trap.
    total = trap(x) * y + y
    with pytest.raises(ArithmeticError, match="trap"):
        total.backward()
    assert x.grad is None
    assert_equal(y.grad, 5)


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 3))])
def test_a_rule_that_gives_a_gradient_of_another_shape_is_told(wrong: Any) -> None:
    @mg.differentiable
    def bad(a: Any, /) -> Any:
        return a * 1, lambda dy: (wrong,)

    x = leaf([1, 2])
    with pytest.raises(ValueError, match=r"a vjp gave a gradient of shape .* for an input of"):
        bad(x).backward([1, 1])
    assert x.grad is None


# -- changes between forward and backward ----------------------------------------------------------


@pytest.mark.parametrize("make", [lambda w: optim.SGD([w], 1), lambda w: optim.AdamW([w], 1)])
def test_a_step_between_forward_and_backward_has_no_effect(make: Callable[[Tensor], Any]) -> None:
    x, w = leaf([2, 3]), leaf([1, 1])
    y = x * w
    w.grad = np.ones(2)
    make(w).step()
    assert np.all(w.data < 1)
    y.backward([1, 1])
    assert_equal(x.grad, [1, 1])  # the w of the forward pass
    assert_equal(w.grad, [3, 4])


def test_a_constant_is_copied() -> None:
    @mg.differentiable(constants=["mask"])
    def masked(mask: Any, x: Any, /) -> Any:
        return mask * x, lambda dy: (None, mask * dy)

    x, mask = leaf([2, 3]), np.array([1, 0])
    y = masked(mask, x)
    mask[:] = 7
    y.backward([5, 5])
    assert_equal(x.grad, [5, 0])


@pytest.mark.parametrize("view", ["detach", "reshape", "getitem", "T"])
def test_a_step_makes_no_gradient_wrong_through_an_island(view: str) -> None:
    """After a step, backward uses the weight that forward used, or raises an error."""
    x, w = leaf([[2, 3]]), leaf([[5], [7]])
    with mg.no_grad():
        island = {
            "detach": lambda: w.detach().T,
            "reshape": lambda: w.reshape(1, 2),
            "getitem": lambda: w[:, 0],
            "T": lambda: w.T,
        }[view]()
    y = x * island
    w.grad = np.ones((2, 1))
    optim.SGD([w], 1).step()
    with contextlib.suppress(RuntimeError):
        y.backward([[1, 1]])
        assert_equal(x.grad, [[5, 7]])


def test_assigning_data_changes_no_gradient() -> None:
    x, w = leaf([2, 3]), leaf([5, 7])
    y = (x * w) ** 2
    w.data, x.data = [0, 0], [0, 0]
    y.backward([1, 1])
    assert_equal(x.grad, [2 * 10 * 5, 2 * 21 * 7])
    assert_equal(w.grad, [2 * 10 * 2, 2 * 21 * 3])


def test_gradients_share_no_memory() -> None:
    """`add` hands one array to both operands, `sum` a repeated number, `reshape` a view."""
    a, b, c, d = (leaf([[1, 2]]) for _ in range(4))
    seed = np.ones((1, 2))
    (a + b).backward(seed)
    (c + c.reshape(1, 2) + d.T.T).sum().backward()
    held = [seed, *[x.data for x in (a, b, c, d)]]
    for x in (a, b, c, d):
        assert x.grad is not None
        assert x.grad.flags.writeable
        assert not any(np.shares_memory(x.grad, other) for other in held)
        held.append(x.grad)
        x.grad += 1  # would raise, or show twice, where one number stands for all
    assert_equal(a.grad, [[2, 2]])
    assert_equal(c.grad, [[3, 3]])
    assert_equal(seed, [[1, 1]])
