"""Optimizers against plain loops over numbers, clipping, and schedules at their corners."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import Array

from minigrad import Tensor, optim

GRADS = [np.array(g) for g in ([0.5, -1.0, 0.0], [0.25, -2.0, 1e-3], [-0.5, 3.0, 1.0], [0, 1, -1])]
START = np.array([1.0, -2.0, 0.5])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def parameter(data: Any, dtype: Any = np.float64) -> Tensor:
    return Tensor(np.array(data, dtype), requires_grad=True)


def matrix() -> Tensor:
    return parameter(np.arange(6.0).reshape(2, 3))


def follow(optimizer: Any, param: Tensor, grads: list[Array]) -> Array:
    """The parameter's value after steps with these gradients."""
    for grad in grads:
        param.grad = grad.astype(param.dtype).reshape(param.shape)
        optimizer.step()
    return param.data


def sgd(x: float, grads: list[float], lr: float, momentum: float) -> float:
    buffer = 0.0
    for grad in grads:
        buffer = momentum * buffer + grad
        x = x - lr * buffer
    return x


def adamw(
    x: float,
    grads: list[float],
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> float:
    """Loshchilov and Hutter, 2019, algorithm 2, with the learning rate as in PyTorch."""
    m = v = 0.0
    for t, grad in enumerate(grads, 1):
        x = x - lr * weight_decay * x
        m = betas[0] * m + (1 - betas[0]) * grad
        v = betas[1] * v + (1 - betas[1]) * grad**2
        x = x - lr * (m / (1 - betas[0] ** t)) / (math.sqrt(v / (1 - betas[1] ** t)) + eps)
    return x


def each(loop: Callable[..., float], *settings: Any) -> Array:
    """The loop for every entry of START and GRADS."""
    columns = np.transpose(GRADS).tolist()
    return np.array([loop(x, g, *settings) for x, g in zip(START, columns, strict=True)])


# -- the optimizers --------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd(momentum: float, dtype: Any) -> None:
    param = parameter(START, dtype)
    ours = follow(optim.SGD([param], 0.1, momentum), param, GRADS)
    assert ours.dtype == dtype
    # A few roundings of numbers near 1.
    np.testing.assert_allclose(ours, each(sgd, 0.1, momentum), atol=16 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize(
    "settings",
    [
        (1e-3, (0.9, 0.999), 1e-8, 0.01),
        (0.1, (0.9, 0.999), 1e-8, 0.0),
        (0.1, (0.5, 0.9), 1e-2, 0.5),
        (0.1, (0.0, 0.0), 1e-8, 0.1),
        (0.0, (0.9, 0.999), 1e-8, 0.1),
    ],
)
@pytest.mark.usefixtures("backend")
def test_adamw(settings: Any, dtype: Any) -> None:
    param = parameter(START, dtype)
    ours = follow(optim.AdamW([param], *settings), param, GRADS)
    assert ours.dtype == dtype
    # As above; a gradient of 1e-3, squared, takes a few more digits from float32.
    np.testing.assert_allclose(ours, each(adamw, *settings), atol=64 * np.finfo(dtype).eps)


@pytest.mark.usefixtures("backend")
def test_adamws_defaults_are_pytorchs() -> None:
    param = parameter(START)
    ours = follow(optim.AdamW([param]), param, GRADS)
    want = each(adamw, 1e-3, (0.9, 0.999), 1e-8, 0.01)
    np.testing.assert_allclose(ours, want, rtol=1e-14)


@pytest.mark.usefixtures("backend")
def test_adamw_of_many_entries(rng: np.random.Generator) -> None:
    """Enough entries for several threads; each entry has its own gradients."""
    start, grads = rng.standard_normal(20_001), list(rng.standard_normal((3, 20_001)))
    param = parameter(start)
    ours = follow(optim.AdamW([param], 0.1), param, grads)
    for i in (0, 1, 9_999, 10_000, 10_001, 20_000):
        want = adamw(start[i], [g[i] for g in grads], 0.1, (0.9, 0.999), 1e-8, 0.01)
        assert ours[i] == pytest.approx(want, rel=1e-12)


def transposed(array: Array) -> Tensor:
    """A leaf that is a view: a detached one can be trained."""
    tensor = Tensor(array.T.copy()).T
    tensor.requires_grad = True
    return tensor


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.AdamW(p, 0.1)])
@pytest.mark.parametrize(
    "made",
    [
        lambda a: Tensor(np.asfortranarray(a), requires_grad=True),
        lambda a: Tensor(a.T.copy().T, requires_grad=True),
        lambda a: Tensor(a[::-1, ::-1], requires_grad=True),
        lambda a: Tensor(Tensor(a.T.copy()).T, requires_grad=True),
        lambda a: Tensor(a.astype(">f8"), requires_grad=True),
        transposed,
    ],
)
def test_a_parameter_in_any_layout_is_changed(
    make: Callable[..., Any], made: Callable[[Array], Tensor], rng: np.random.Generator
) -> None:
    start, grads = rng.standard_normal((4, 3)), list(rng.standard_normal((3, 4, 3)))
    param = made(start)
    plain = Tensor(param.data.copy(order="C"), requires_grad=True)
    ours = follow(make([param]), param, [np.asfortranarray(g) for g in grads])
    want = follow(make([plain]), plain, grads)
    np.testing.assert_array_equal(ours, want)
    assert np.all(ours != start)


# -- Muon ------------------------------------------------------------------------------------------


def by_singular_values(g: Array) -> Array:
    """The result of the iteration on a matrix, computed on each of its singular values."""
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    s = s / np.linalg.norm(g)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s) @ vt


@dtypes
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 7), (7, 3), (40, 24)])
def test_orthogonalized(shape: tuple[int, int], dtype: Any) -> None:
    g = np.random.default_rng(1).normal(0, 1e-3, shape).astype(dtype)
    ours = optim.orthogonalized(g)
    assert ours.dtype == dtype
    # The iteration can stretch an error 3.4 times in each of its five steps.
    tolerance = 500 * np.finfo(dtype).eps
    np.testing.assert_allclose(ours, by_singular_values(g.astype(float)), atol=tolerance)
    np.testing.assert_array_equal(optim.orthogonalized(np.zeros(shape, dtype)), 0)


@pytest.mark.parametrize("value", [0.0016, 0.01, 0.1, 0.5, 1.0])
def test_singular_values_come_near_1(value: float) -> None:
    ours = optim.orthogonalized(np.diag([value, math.sqrt(1 - value**2)]))
    assert 0.68 < ours[0, 0] < 1.21


@dtypes
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_muon(shape: tuple[int, int], dtype: Any) -> None:
    rng = np.random.default_rng(2)
    start, grads = rng.normal(size=shape), [rng.normal(size=shape) for _ in range(3)]
    param = parameter(start, dtype)
    ours = follow(optim.Muon([param], 0.1, momentum=0.75, weight_decay=0.5), param, grads)
    want, m = start, np.zeros(shape)
    for grad in grads:
        m = 0.75 * m + 0.25 * grad
        step = by_singular_values(0.75 * m + 0.25 * grad)
        want = want - 0.1 * 0.5 * want - 0.1 * 0.2 * math.sqrt(6) * step
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, want, atol=500 * np.finfo(dtype).eps)


# -- what all do -----------------------------------------------------------------------------------

KINDS: list[Callable[[list[Tensor]], Any]] = [
    lambda p: optim.SGD(p, 0.1, 0.9),
    lambda p: optim.AdamW(p, 0.1),
    lambda p: optim.Muon(p, 0.1),
]


@pytest.mark.parametrize("make", KINDS)
def test_each_of_several_is_as_if_alone(make: Callable[[list[Tensor]], Any]) -> None:
    """Whatever the sizes of the others' gradients, also after saving and loading the state."""
    rng = np.random.default_rng(4)
    starts = rng.normal(size=(3, 4, 5))
    together, alone = ([parameter(start) for start in starts] for _ in range(2))
    optimizer, others = make(together), [make([param]) for param in alone]
    for _ in range(3):
        for i in range(3):
            together[i].grad = rng.normal(0, 10**i, (4, 5))
            alone[i].grad = np.array(together[i].grad)
            others[i].step()
        optimizer.step()
        state, optimizer = optimizer.state_dict(), make(together)
        optimizer.load_state_dict(state)
    for ours, want in zip(together, alone, strict=True):
        # As for Muon above: products of several matrices at once may round otherwise.
        np.testing.assert_allclose(ours.data, want.data, rtol=0, atol=500 * np.finfo(float).eps)


@pytest.mark.parametrize("make", KINDS)
def test_a_gradient_of_another_shape_is_refused(make: Callable[[list[Tensor]], Any]) -> None:
    """A compiled kernel would read past its end, NumPy repeat it."""
    param = matrix()
    optimizer = make([param])
    param.grad = np.ones((1, 1))
    with pytest.raises(ValueError, match=r"grad has shape \(1, 1\), wanted \(2, 3\)"):
        optimizer.step()


@pytest.mark.parametrize("make", KINDS)
def test_a_gradient_of_another_dtype_is_taken_in_the_parameters(make: Any) -> None:
    grad = np.arange(6, dtype=np.float32).reshape(2, 3)
    results = []
    for given in (grad, grad.astype(float), grad.astype(int), grad.astype(">f4"), Tensor(grad)):
        param = parameter(np.ones((2, 3)), np.float32)
        param.grad = given  # type: ignore[assignment]
        make([param]).step()
        assert param.dtype == np.float32
        results.append(param.data)
    for result in results:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("make", KINDS)
def test_state_travels(make: Callable[[list[Tensor]], Any]) -> None:
    """What is loaded is what was saved: the next steps are the same, bit for bit."""
    rng = np.random.default_rng(3)
    grads = list(rng.normal(size=(6, 2, 3)))
    through, first = matrix(), matrix()
    want = follow(make([through]), through, grads)
    stopped = make([first])
    second = parameter(follow(stopped, first, grads[:3]))
    resumed, state = make([second]), stopped.state_dict()
    resumed.load_state_dict(state)
    follow(stopped, first, grads[3:])  # the state is a copy, which this does not touch
    resumed.load_state_dict(state)
    np.testing.assert_array_equal(follow(resumed, second, grads[3:]), want)
    name = next(iter(state))
    with pytest.raises(ValueError, match=rf"{name} is \(5,\), wanted \(2, 3\)"):
        resumed.load_state_dict(state | {name: np.zeros(5)})
    with pytest.raises(KeyError, match=name):
        resumed.load_state_dict({})


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.AdamW(p, 0.1)])
@pytest.mark.parametrize("shape", [(), (1,), (2, 0), (2, 1, 3)])
def test_any_shape(make: Callable[..., Any], shape: tuple[int, ...]) -> None:
    param = parameter(np.ones(shape))
    optimizer = make([param])
    for _ in range(2):
        optimizer.zero_grad()
        (param * param).sum().backward()
        optimizer.step()
    assert param.shape == shape
    assert np.all(param.data < 1)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.AdamW(p, 0.1)])
def test_a_parameter_without_a_gradient_is_left_alone(make: Callable[..., Any]) -> None:
    """AdamW counts a parameter's own steps, and decays nothing that has no gradient."""
    late, always = parameter(START), parameter(START)
    optimizer = make([late, always])
    for grad in GRADS[:2]:
        always.grad = grad
        optimizer.step()
    np.testing.assert_array_equal(late.data, START)
    always.grad = None
    before = always.numpy()
    ours = follow(optimizer, late, GRADS)
    alone = parameter(START)
    np.testing.assert_array_equal(ours, follow(make([alone]), alone, GRADS))
    np.testing.assert_array_equal(always.data, before)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.AdamW(p, 0.1)])
def test_a_step_leaves_the_gradient_and_copies_alone(make: Callable[..., Any]) -> None:
    param, grad = parameter(START), GRADS[0].copy()
    copy = param.numpy()
    optimizer = make([param])
    for _ in range(2):  # the first momentum is the gradient: it must be a copy
        param.grad = grad
        optimizer.step()
        assert param.grad is grad
    np.testing.assert_array_equal(grad, GRADS[0])
    np.testing.assert_array_equal(copy, START)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, 0.9), lambda p: optim.AdamW(p, 0.1)])
def test_one_array_may_serve_for_all_gradients(make: Callable[..., Any]) -> None:
    param, plain, grad = parameter(START), parameter(START), np.empty(3)
    optimizer = make([param])
    for values in GRADS:
        grad[:] = values
        param.grad = grad
        optimizer.step()
    np.testing.assert_array_equal(param.data, follow(make([plain]), plain, GRADS))


def test_lr_may_change_between_steps() -> None:
    param = parameter([1.0])
    optimizer = optim.SGD([param], 1.0)
    for lr in (0.5, 0.25):
        optimizer.lr = lr
        follow(optimizer, param, [np.ones(1)])
    np.testing.assert_array_equal(param.data, [0.25])


def test_zero_grad() -> None:
    params = [parameter(START), parameter(START)]
    params[0].grad = GRADS[0]
    optim.SGD(iter(params), 0.1).zero_grad()
    assert params[0].grad is None
    assert params[1].grad is None


def test_the_base_class_takes_no_step() -> None:
    param = parameter(START)
    optimizer = optim.Optimizer([param], 0.1)
    optimizer.step()
    param.grad = GRADS[0]
    with pytest.raises(TypeError, match="use SGD, AdamW or Muon"):
        optimizer.step()


WRONG: list[tuple[Callable[[list[Tensor]], Any], str]] = [
    (lambda p: optim.SGD([], 0.1), "an optimizer needs at least one parameter, got none"),
    (lambda p: optim.SGD(p, -0.1), "lr is -0.1, wanted a finite number, 0 or above"),
    (lambda p: optim.SGD(p, math.inf), "lr is inf, wanted a finite number, 0 or above"),
    (lambda p: optim.SGD(p, math.nan), "lr is nan, wanted a finite number, 0 or above"),
    (lambda p: optim.SGD(p, 0.1, -0.9), "momentum is -0.9, wanted a finite number, 0 or above"),
    (lambda p: optim.SGD([*p, *p], 0.1), "a parameter is given twice; every step would change it"),
    (lambda p: optim.AdamW([]), "an optimizer needs at least one parameter, got none"),
    (lambda p: optim.AdamW(p, lr=-1), "lr is -1, wanted a finite number, 0 or above"),
    (lambda p: optim.AdamW(p, eps=-1), "eps is -1, wanted a finite number, 0 or above"),
    (lambda p: optim.AdamW(p, weight_decay=math.nan), "weight_decay is nan, wanted a finite"),
    (lambda p: optim.AdamW(p, betas=(0.9, 1.0)), "betas are (0.9, 1.0), wanted two numbers"),
    (lambda p: optim.AdamW(p, betas=(-0.1, 0.9)), "betas are (-0.1, 0.9), wanted two numbers"),
    (lambda p: optim.AdamW(p, betas=(math.nan, 0.9)), "betas are (nan, 0.9), wanted two numbers"),
    (lambda p: optim.AdamW(p, betas=(0.9,)), "betas are (0.9,), wanted two numbers"),  # type: ignore[arg-type]
    (lambda p: optim.Muon([]), "an optimizer needs at least one parameter, got none"),
    (lambda p: optim.Muon([matrix(), *p]), "Muon changes matrices, got a parameter of shape (3,)"),
    (lambda p: optim.Muon([matrix()], momentum=1), "momentum is 1, wanted 0 <= momentum < 1"),
    (lambda p: optim.Muon([matrix()], momentum=-0.1), "momentum is -0.1, wanted a finite"),
    (lambda p: optim.Muon([matrix()], weight_decay=-1), "weight_decay is -1, wanted a finite"),
    (lambda p: optim.clip_grad_norm(p, 0), "max_norm is 0, wanted a number above 0"),
    (lambda p: optim.clip_grad_norm(p, -1), "max_norm is -1, wanted a number above 0"),
    (lambda p: optim.clip_grad_norm(p, math.nan), "max_norm is nan, wanted a number above 0"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_refused(make: Callable[[list[Tensor]], Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^\w+") as caught:
        make([parameter(START)])
    assert message in str(caught.value)


# -- clipping --------------------------------------------------------------------------------------


def with_gradients(*grads: Any, dtype: Any = np.float64) -> list[Tensor]:
    params = [parameter(np.zeros(np.shape(grad)), dtype) for grad in grads]
    for param, grad in zip(params, grads, strict=True):
        param.grad = np.array(grad, dtype)
    return params


@dtypes
def test_clip_scales_all_gradients_alike(dtype: Any) -> None:
    params = with_gradients([3.0, 0.0], [[4.0]], 12.0, dtype=dtype)
    without = parameter(START)
    norm = optim.clip_grad_norm(iter([*params, without]), 6.5)
    assert norm == 13
    assert type(norm) is float
    assert without.grad is None
    for param, want in zip(params, ([1.5, 0], [[2]], 6), strict=True):
        assert param.grad is not None
        assert param.grad.dtype == dtype
        np.testing.assert_array_equal(param.grad, want)
    # A rounding or two in each entry of the clipped gradients.
    assert optim.clip_grad_norm(params, 100) == pytest.approx(
        6.5, rel=4 * float(np.finfo(dtype).eps)
    )


@pytest.mark.parametrize("max_norm", [5, 6, math.inf])
def test_clip_leaves_small_gradients_alone(max_norm: float) -> None:
    params = with_gradients([3.0], [4.0])
    before = params[0].grad
    assert optim.clip_grad_norm(params, max_norm) == 5
    assert params[0].grad is before
    np.testing.assert_array_equal([params[0].grad, params[1].grad], [[3], [4]])


@dtypes
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_clip_leaves_gradients_alone_that_are_not_finite(bad: float, dtype: Any) -> None:
    params = with_gradients([3.0, bad], [40.0], dtype=dtype)
    norm = optim.clip_grad_norm(params, 1)
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf
    np.testing.assert_array_equal(params[0].grad, [3, bad])
    np.testing.assert_array_equal(params[1].grad, [40])


def test_clip_sums_up_in_float64() -> None:
    """The squares of these are beyond float32, at both ends."""
    assert optim.clip_grad_norm(
        with_gradients([3e30, 4e30], dtype=np.float32), math.inf
    ) == pytest.approx(5e30, rel=1e-7)
    params = with_gradients([3e-30, 4e-30], dtype=np.float32)
    assert optim.clip_grad_norm(params, 1e-30) == pytest.approx(5e-30, rel=1e-7)
    grad = np.asarray(params[0].grad)
    np.testing.assert_allclose(grad, [0.6e-30, 0.8e-30], rtol=1e-6)


def test_clip_without_any_gradient() -> None:
    assert optim.clip_grad_norm([parameter(START)], 1) == 0
    assert optim.clip_grad_norm([], 1) == 0
    params = with_gradients([0.0, 0.0])
    assert optim.clip_grad_norm(params, 1) == 0
    np.testing.assert_array_equal(params[0].grad, [0, 0])


# -- schedules -------------------------------------------------------------------------------------


def test_constant() -> None:
    assert [optim.constant(0.3)(step) for step in (0, 1, 1000)] == [0.3] * 3


def test_cosine() -> None:
    schedule = optim.cosine(1.0, 100, 0.2)
    assert schedule(0) == 1.0
    # cos is right to a rounding
    assert schedule(50) == pytest.approx(0.6, rel=1e-15)
    assert schedule(25) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2, rel=1e-15)
    assert [schedule(step) for step in (100, 101, 10_000)] == [0.2] * 3
    assert optim.cosine(1.0, 10)(10) == 0
    assert np.all(np.diff([schedule(step) for step in range(101)]) < 0)


@pytest.mark.parametrize("steps", [0, 1])
def test_cosine_of_no_steps(steps: int) -> None:
    assert [optim.cosine(1.0, steps, 0.5)(step) for step in (0, 1, 2)] == [1.0, 0.5, 0.5]


def test_warmup() -> None:
    schedule = optim.warmup(4, optim.constant(2.0))
    assert [schedule(step) for step in range(6)] == [0.5, 1, 1.5, 2, 2, 2]
    then = optim.cosine(1.0, 10)
    schedule = optim.warmup(4, then)
    assert schedule(1) == then(1) / 2
    assert [schedule(step) for step in (3, 4, 7)] == [then(step) for step in (3, 4, 7)]
    for steps in (0, 1):
        assert [optim.warmup(steps, then)(step) for step in (0, 5)] == [then(0), then(5)]


@pytest.mark.parametrize("make", [optim.SGD, optim.AdamW])
def test_settings_of_float64_widen_nothing(make: Any) -> None:
    w = Tensor([1, 2], requires_grad=True)
    optimizer = make([w], np.float64(0.1))
    for _ in range(2):
        w.grad = np.ones(2, np.float32)
        optimizer.step()
    assert w.dtype == np.float32
    assert np.all(w.data < [1, 2])
