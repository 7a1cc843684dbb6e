"""Twins agree: each kernel in NumPy and in Numba has the same name, signature and results.

A case makes a kernel's arguments and says how far rounding may take its results: `bound`, in units
of eps, is worked out from the formula. A sum of n terms, in whatever order, is off by less than
n eps times the sum of their absolute values; e^x by (|x| + 2) eps of itself; and what errors an
operand brings along is passed on by the derivative. Both twins are held to it, beside the NumPy
kernel's result in float64.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any
from unittest import mock

import attention_kernels
import numpy as np
import pytest
import recurrent_kernels
from cases import LAYOUTS, Array, lay_out
from hypothesis import given
from hypothesis import strategies as st
from twins import public

import minigrad as mg
from minigrad import threads
from minigrad.kernels import reference

TWINS: list[ModuleType] = [reference]
if "numba" in mg.available_backends():
    from minigrad.kernels import compiled
    from minigrad.kernels.compiled import with_blas

    TWINS += [compiled, with_blas]
needs_numba = pytest.mark.skipif(len(TWINS) == 1, reason="numba is not installed")

# Around the blocks of 16 to 256 that the compiled kernels cut their work into; and for the axes
# that they do not cut, fewer, around the 4, 8 and 16 of unrolled loops and vectors.
SIZES = (1, 2, 15, 16, 17, 32, 33, 63, 64, 65, 96, 97, 127, 128, 129, 255, 256, 257)
WIDTHS = (1, 2, 3, 4, 5, 8, 17)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Draw:
    """Draws arguments: random numbers, and options picked by `choose`."""

    def __init__(self, seed: int, dtype: Any, choose: Callable[[Sequence[Any]], Any]) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype, self.choose = dtype, choose

    def raw(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape)

    def of(self, array: Array) -> Array:
        """The array as an argument: in the kernel's dtype, in a layout picked by `choose`."""
        return lay_out(array.astype(self.dtype), self.choose(LAYOUTS))

    def normal(self, *shape: int, scale: float = 1.0) -> Array:
        return self.of(scale * self.raw(*shape))

    def ids(self, count: int, low: int, high: int) -> Array:
        ids = self.rng.integers(low, max(high, 1), count, dtype=np.intp)
        return lay_out(ids, self.choose(LAYOUTS))


def normal_cdf(x: Array) -> Array:
    """P(Z <= x) in float64, by the C library."""
    return np.array([0.5 * math.erfc(-z * math.sqrt(0.5)) for z in x.ravel()]).reshape(x.shape)


# -- a case for each kernel: capital letters are sizes of SIZES, small ones of WIDTHS --------------


def matmul(d: Draw, M: int, K: int, N: int) -> Any:
    batches = [((), ()), ((3,), (3,)), ((1,), (3,)), ((), (2,)), ((2, 1), (1, 3)), ((0,), (0,))]
    before, after = d.choose(batches)
    flip_a, flip_b = d.choose((False, True)), d.choose((False, True))
    a = d.normal(*before, K, M).swapaxes(-1, -2) if flip_a else d.normal(*before, M, K)
    b = d.normal(*after, N, K).swapaxes(-1, -2) if flip_b else d.normal(*after, K, N)
    return (a, b), lambda y, a, b: K * (np.abs(a) @ np.abs(b))


def erf(d: Draw, N: int, w: int) -> Any:
    # The C library's erff is within one unit in the last place.
    return (d.normal(N, w, scale=2),), lambda y, x: np.abs(y)


def gelu(d: Draw, N: int, w: int) -> Any:
    def bound(y: Array, x: Array, approximate: str) -> Array:
        if approximate == "tanh":  # 1 + tanh cancels where x < 0
            return 4 * np.abs(x)
        return np.abs(y) * (x * x / 2 + 4)  # e^(-x^2/2) has the relative error of its exponent

    return (d.normal(N, w, scale=3), d.choose(("none", "tanh"))), bound


def gelu_vjp(d: Draw, N: int, w: int) -> Any:
    def bound(dx: Array, x: Array, dy: Array, approximate: str) -> Array:
        if approximate == "tanh":  # 1 - tanh^2 cancels, and x times the argument's slope follows it
            return 4 * np.abs(dy) * (1 + np.abs(x) * (0.8 + 0.11 * x * x))
        slope = normal_cdf(x) + np.abs(x) * np.exp(-x * x / 2) * 0.4
        return np.abs(dy) * slope * (x * x / 2 + 4)

    return (d.normal(N, w, scale=3), d.normal(N, w), d.choose(("none", "tanh"))), bound


def spread(x: Array, axis: int) -> Any:
    """How far down from the largest entry: the exponents, of which e^x has the error."""
    return x.max(axis, keepdims=True, initial=-np.inf) - x.min(axis, keepdims=True, initial=np.inf)


AXES = (-1, 0, 1, 2, -2)


def softmax(d: Draw, N: int, C: int) -> Any:
    return (
        d.normal(2, N, C, scale=3),
        d.choose(AXES),
    ), lambda p, x, axis: p * (2 * spread(x, axis) + x.shape[axis] + 6)


def softmax_vjp(d: Draw, N: int, C: int) -> Any:
    axis = d.choose(AXES)
    p = d.of(reference.softmax(d.raw(2, N, C), axis))
    return (
        (p, d.normal(2, N, C), axis),
        lambda dx, p, dp, axis: (
            (p.shape[axis] + 3) * p * (np.abs(dp) + np.sum(np.abs(dp) * p, axis, keepdims=True))
        ),
    )


def log_softmax(d: Draw, N: int, C: int) -> Any:
    return (
        d.normal(2, N, C, scale=3),
        d.choose(AXES),
    ), lambda y, x, axis: np.abs(y) + 2 * spread(x, axis) + x.shape[axis] + 6


def log_softmax_vjp(d: Draw, N: int, C: int) -> Any:
    axis = d.choose(AXES)
    y = d.of(reference.log_softmax(d.raw(2, N, C), axis))

    def bound(dx: Array, y: Array, dy: Array, axis: int) -> Array:
        total = np.sum(np.abs(dy), axis, keepdims=True)
        return np.abs(dy) + np.exp(y) * total * (np.abs(y) + y.shape[axis] + 5)

    return (y, d.normal(2, N, C), axis), bound


def cross_entropy(d: Draw, N: int, C: int) -> Any:
    def bound(loss: Array, largest: Array, total: Array, logits: Array, target: Array) -> Any:
        each = 3 * spread(logits, 1)[:, 0] + C + 6
        return np.where(target < 0, 0, each), 0 * largest, total * each

    N = N if C else 0  # a target is one of C
    return (d.normal(N, C, scale=3), d.ids(N, -1, C)), bound


def cross_entropy_vjp(d: Draw, N: int, C: int) -> Any:
    N = N if C else 0
    logits, target = 3 * d.raw(N, C), d.ids(N, -1, C)
    largest = logits.max(1, initial=-np.inf)
    total = np.exp(logits - largest[:, None]).sum(1)

    def bound(dx: Array, *args: Array) -> Array:
        logits, largest, total, target, dloss = args
        exponent = logits - largest[:, None]
        each = np.exp(exponent) / total[:, None] * (np.abs(exponent) + 6)
        each += 2 * (np.arange(C) == target[:, None])
        return each * np.where(target < 0, 0, np.abs(dloss))[:, None]

    return (d.of(logits), d.of(largest), d.of(total), target, d.normal(N)), bound


def layer_norm(d: Draw, N: int, D: int) -> Any:
    groups = d.choose(((D,), (2, D)))

    def bound(y: Array, mean: Array, rstd: Array, x: Array, w: Array, b: Array, eps: float) -> Any:
        # The mean is off by D eps |x|; that shifts x - mean, and with it the variance.
        shift = (D + 2) * np.abs(x).max(1, keepdims=True, initial=0)
        r = rstd[:, None]
        xhat = np.abs(x - mean[:, None]) * r
        each = (r * shift * (1 + xhat) + xhat * (D + 8)).reshape(-1, *groups) * np.abs(w)
        each = (each + np.abs(b)).reshape(y.shape)
        return each, shift[:, 0], rstd * (rstd * shift[:, 0] + D + 6)

    x = d.normal(N * (len(groups)), D, scale=3)
    return (x, d.normal(*groups), d.normal(*groups), 1e-5), bound


def layer_norm_vjp(d: Draw, N: int, D: int) -> Any:
    groups = d.choose(((D,), (2, D)))
    N *= len(groups)
    x = 3 * d.raw(N, D) + 1
    mean, rstd = x.sum(1) / max(D, 1), 1 / np.sqrt(x.var(1) + 1e-5) if D else np.ones(N)

    def bound(*arrays: Array) -> Any:
        *_, dy, x, w, mean, rstd = map(np.abs, arrays)
        r = rstd[:, None]
        xhat, g = (x + mean[:, None]) * r, (dy.reshape(-1, *groups) * w).reshape(dy.shape)
        rows = g.sum(1, keepdims=True), (g * xhat).sum(1, keepdims=True)
        dx = (D + 8) * r * (g + (rows[0] + xhat * rows[1]) / max(D, 1))
        dw, db = ((a.reshape(-1, *groups)).sum(0) for a in (dy * xhat, dy))
        return dx, (N + 6) * dw, N * db

    return (d.normal(N, D), d.of(x), d.normal(*groups), d.of(mean), d.of(rstd)), bound


def embedding(d: Draw, N: int, V: int, w: int) -> Any:
    return (d.ids(N if V else 0, 0, V), d.normal(V, w)), lambda y, ids, weight: 0 * y


def embedding_vjp(d: Draw, N: int, V: int, w: int) -> Any:
    ids = d.ids(N if V else 0, 0, V)
    return (
        ids,
        d.normal(len(ids), w),
        V,
    ), lambda dweight, ids, dy, rows: N * reference.embedding_vjp(ids, np.abs(dy), rows)


def linear(d: Draw, N: int, w: int, e: int) -> Any:
    return (
        d.normal(N, w),
        d.normal(e, w),
        d.normal(e),
    ), lambda y, x, weight, b: (w + 1) * (np.abs(x) @ np.abs(weight).T + np.abs(b))


def linear_vjp(d: Draw, N: int, w: int, e: int) -> Any:
    def bound(dx: Array, dw: Array, db: Array, dy: Array, x: Array, weight: Array) -> Any:
        dy, x, weight = np.abs(dy), np.abs(x), np.abs(weight)
        return e * (dy @ weight), N * (dy.T @ x), N * dy.sum(axis=0)

    return (d.normal(N, e), d.normal(N, w), d.normal(e, w)), bound


def mlp(d: Draw, N: int, w: int, H: int, e: int) -> Any:
    w1, w2 = d.raw(H, w) / math.sqrt(w or 1), d.raw(e, H) / math.sqrt(H or 1)

    keep = d.choose((True, False))

    def bound(y: Array, hidden: Array, *arguments: Any) -> tuple[Array, Array]:
        x, w1, b1, w2, b2 = map(np.abs, arguments[:5])
        a = x @ w1.T + b1  # gelu's slope is below 1.2
        return (1.2 * w + H + 12) * a @ w2.T + b2, (w + 2) * a[: len(hidden)]

    return (*map(d.of, (d.raw(N, w), w1, d.raw(H), w2, d.raw(e))), keep), bound


def mlp_vjp(d: Draw, N: int, w: int, H: int, e: int) -> Any:
    w1, w2 = d.raw(H, w) / math.sqrt(w or 1), d.raw(e, H) / math.sqrt(H or 1)

    def bound(*arrays: Array) -> Any:
        dy, x, w1, b1, w2 = map(np.abs, arrays[5:10])
        a, dh = x @ w1.T + b1, dy @ w2
        da = dh * (1.2 * e + (w + 2) * a + 8)  # the slope of gelu's slope is below 1
        dx = (da + 1.2 * H * dh) @ w1
        db1 = da + 1.2 * N * dh
        dw2 = dy.T @ a * (1.2 * w + N + 12)
        return dx, db1.T @ x, db1.sum(0), dw2, N * dy.sum(0)

    x, b1 = d.raw(N, w), d.raw(H)
    hidden = (x @ w1.T + b1)[: d.choose((N, 0))]
    return tuple(map(d.of, (d.raw(N, e), x, w1, b1, w2, hidden))), bound


def adamw(d: Draw, N: int, w: int) -> Any:
    def bound(p: Array, m: Array, v: Array, p0: Array, g: Array, m0: Array, *_: Any) -> Any:
        mean = np.abs(m0) + np.abs(g)
        root = np.sqrt(v / (1 - 0.95**step)) + 1e-8
        return 3 * np.abs(p0) + 0.1 / (1 - 0.9**step) * 12 * mean / root, 3 * mean, 4 * v

    step = d.choose((1, 2, 1000))
    arrays = [d.normal(N, w), d.normal(N, w), d.normal(N, w), d.of(d.raw(N, w) ** 2)]
    return (*arrays, step, 0.1, (0.9, 0.95), 1e-8, 0.1), bound


def newton_schulz(d: Draw, N: int, w: int) -> Any:
    """Matrices of norm 1; a step makes what is in error up to four times larger, and adds to it."""
    steps = d.choose((1, 2, 5))
    x = d.raw(3, *d.choose(((w, N), (N, w))))
    x /= np.linalg.norm(x, axis=(1, 2), keepdims=True)
    return (d.of(x), (3.4445, -4.775, 2.0315), steps), lambda *_: 4**steps * 8 * (N + w)


CASES: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(matmul, erf, gelu, gelu_vjp, softmax, softmax_vjp, log_softmax, log_softmax_vjp),
        *(cross_entropy, cross_entropy_vjp, layer_norm, layer_norm_vjp, embedding, embedding_vjp),
        *(linear, linear_vjp, mlp, mlp_vjp),
        *attention_kernels.CASES,
        *recurrent_kernels.CASES,
        *(adamw, newton_schulz),
    )
}
KERNELS = pytest.mark.parametrize("name", CASES)


# What the operations refuse before a kernel sees it: no classes, nothing to norm, keys of no width.
NEVER_EMPTY = {
    *(("cross_entropy", "C"), ("cross_entropy_vjp", "C")),
    *(("layer_norm", "D"), ("layer_norm_vjp", "D")),
    *(("attention", "w"), ("attention_vjp", "w")),
}


def axes_of(name: str) -> list[str]:
    return list(inspect.signature(CASES[name]).parameters)[1:]


@contextlib.contextmanager
def cut_into(count: int) -> Iterator[None]:
    """In the block, even the smallest array is divided among so many threads."""
    before = mg.get_num_threads()
    mg.set_num_threads(count)
    with mock.patch.object(threads, "_WORTHWHILE", 0):
        yield
    mg.set_num_threads(before)


def ways_of(twin: ModuleType, name: str) -> list[Any]:
    """Compiled attention is computed in two ways, by its size: here in both."""
    if twin is reference or name not in ("attention", "attention_vjp"):
        return [contextlib.nullcontext()]
    from minigrad.kernels.compiled import few_positions

    return [mock.patch.object(few_positions, "_NEAR", most) for most in (0, 1 << 40)]


def results(twin: ModuleType, name: str, args: Sequence[Any]) -> tuple[Array, ...]:
    if name == "adamw":  # it changes m and v, which must be contiguous
        param, grad, m, v, *settings = args
        m, v = m.copy(), v.copy()
        return twin.adamw(param, grad, m, v, *settings), m, v
    y = getattr(twin, name)(*args)
    return tuple([a for a in y if a is not None]) if isinstance(y, tuple) else (y,)


def check(name: str, d: Draw, sizes: Sequence[int], count: int) -> None:
    args, bound = CASES[name](d, *sizes)
    before = [np.copy(a) if isinstance(a, np.ndarray) else a for a in args]
    exact = [
        a.astype(float) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in before
    ]
    wanted = results(reference, name, exact)
    bounds = bound(*wanted, *exact)
    bounds = bounds if isinstance(bounds, tuple) else (bounds,)
    own = {getattr(twin, name): twin for twin in TWINS[::-1]}.values()
    for twin, way in ((t, way) for t in own for way in ways_of(t, name)):
        with cut_into(count), way:
            got = results(twin, name, args)
        assert len(got) == len(wanted)
        for i, (ours, want, limit) in enumerate(zip(got, wanted, bounds, strict=True)):
            where = f"result {i} of {twin.__name__}"
            assert (ours.shape, ours.dtype) == (want.shape, d.dtype), where
            assert ours.flags.writeable, where
            assert not any(np.may_share_memory(ours, a) for a in args if isinstance(a, np.ndarray))
            # Below the smallest normal number all have the same absolute error.
            limit = limit * np.finfo(d.dtype).eps + 32 * np.finfo(d.dtype).smallest_subnormal
            excess = np.abs(ours - want) - limit
            assert np.all(excess <= 0), f"{where}: {np.max(excess)} too far off"
    for argument, kept in zip(args, before, strict=True):
        np.testing.assert_array_equal(argument, kept)


# -- the twins -------------------------------------------------------------------------------------


@needs_numba
def test_twins_have_the_same_names() -> None:
    assert set(public(reference)) == set(public(compiled)) == set(compiled.__all__)
    assert set(public(with_blas)) < set(compiled.__all__)
    assert reference.__all__ == compiled.__all__


@needs_numba
@KERNELS
def test_twins_have_the_same_signature(name: str) -> None:
    """But for what has a default: the reference lends its MLP to numba+blas, with another GELU."""
    parameters = [public(twin)[name].parameters.values() for twin in (reference, compiled)]
    needed = [[p.name for p in twin if p.default is p.empty] for twin in parameters]
    assert needed[0] == needed[1]


@needs_numba
def test_every_kernel_has_a_case() -> None:
    assert set(compiled.__all__) == set(CASES)


@DTYPES
@KERNELS
@given(data=st.data())
def test_twins_agree(name: str, dtype: Any, data: st.DataObject) -> None:
    sizes = [
        data.draw(st.sampled_from(SIZES if axis[0].isupper() else WIDTHS), axis)
        for axis in axes_of(name)
    ]
    d = Draw(data.draw(st.integers(0)), dtype, lambda options: data.draw(st.sampled_from(options)))
    check(name, d, sizes, data.draw(st.integers(1, 3), "threads"))


@pytest.mark.parametrize("size", SIZES)
@KERNELS
def test_twins_agree_at_every_size(name: str, size: int) -> None:
    """All long axes of one size, two threads, and the first of all choices."""
    sizes = [size if axis[0].isupper() else 3 for axis in axes_of(name)]
    check(name, Draw(size, np.float32, lambda options: options[0]), sizes, 2)


@pytest.mark.parametrize(
    ("name", "axis"), sorted({(n, axis) for n in CASES for axis in axes_of(n)} - NEVER_EMPTY)
)
@pytest.mark.parametrize("others", [1, 20])
def test_twins_agree_where_an_axis_is_empty(name: str, axis: str, others: int) -> None:
    sizes = [0 if a == axis else others for a in axes_of(name)]
    check(name, Draw(0, np.float32, lambda options: options[0]), sizes, 2)


@needs_numba
@DTYPES
@pytest.mark.parametrize("count", [1, 2, 3])
@KERNELS
def test_same_bits_each_time(name: str, dtype: Any, count: int) -> None:
    """In whatever order threads run, and wherever in memory the arrays are.

    A compiled loop that stores what it sums up may first see how near its arrays are to each other,
    and then add in another order: small ones are near.
    """
    for long, short in ((257, 17), (17, 5), (5, 3)):
        sizes = [long if axis[0].isupper() else short for axis in axes_of(name)]
        args, _ = CASES[name](Draw(0, dtype, lambda options: options[0]), *sizes)
        kept, found = [], set()
        for size in range(8):
            moved = [np.array(a, order="K") if isinstance(a, np.ndarray) else a for a in args]
            with cut_into(count):
                got = results(compiled, name, moved)
            kept.append((moved, got, np.empty(1 << size)))  # so that the next lie elsewhere
            found.add(tuple(y.tobytes() for y in got))
        assert len(found) == 1
