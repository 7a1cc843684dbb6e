"""What kernels make of nan and infinity, what each does by itself, and how exact float32 is."""

from __future__ import annotations

import itertools
import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from test_kernels import DTYPES, TWINS, Array, needs_numba, normal_cdf, results

from minigrad.kernels import reference

EACH = pytest.mark.parametrize("twin", TWINS)

# -- nan and infinity ------------------------------------------------------------------------------

NAN, INF = np.nan, np.inf
ROWS = np.array(list(itertools.product([NAN, INF, -INF, 0, 1.5], repeat=3)))
LONG = np.insert(ROWS, [1] * 30, np.linspace(-2, 2, 30), axis=1)  # for loops over whole vectors


def assert_same(name: str, dtype: Any, *args: Any) -> None:
    """nan and infinity are in the same places, and other numbers equal up to some roundings."""
    args = tuple([a.astype(dtype) if getattr(a, "dtype", int) == np.float64 else a for a in args])
    near = 64 * np.finfo(dtype).eps  # the numbers, and the sums of at most 33 of them, are small
    with np.errstate(all="ignore"):
        pairs = zip(results(TWINS[-1], name, args), results(reference, name, args), strict=True)
    for ours, want in pairs:
        np.testing.assert_allclose(ours, want, rtol=near, atol=near)


@needs_numba
@DTYPES
def test_special_entries(dtype: Any) -> None:
    limits = np.finfo(dtype)
    ends = [limits.max, -limits.max, limits.tiny, limits.smallest_subnormal]
    x = np.tile([NAN, INF, -INF, 0.0, -0.0, 1.5, -2.0, -30.0, 30.0, *map(float, ends)], 5)
    ones = np.ones_like(x)
    assert_same("erf", dtype, x)
    for approximate in ("none", "tanh"):
        assert_same("gelu", dtype, x, approximate)
        assert_same("gelu_vjp", dtype, x, ones, approximate)
        assert_same("gelu_vjp", dtype, ones, x, approximate)
    for step in (1, 1000):
        assert_same("adamw", dtype, ones, x, ones, ones, step, 0.1, (0.9, 0.95), 1e-8, 0.1)


@needs_numba
@DTYPES
@pytest.mark.parametrize("x", [ROWS, LONG], ids=["short", "long"])
def test_special_rows(dtype: Any, x: Array) -> None:
    other, weight = np.cos(np.arange(x.size)).reshape(x.shape), np.linspace(0.5, 2, x.shape[1])
    for axis, rows, dy in ((1, x, other), (0, x.T, other.T)):
        for name in ("softmax", "log_softmax"):
            assert_same(name, dtype, rows, axis)
            with np.errstate(all="ignore"):
                y = getattr(reference, name)(rows, axis)
            assert_same(f"{name}_vjp", dtype, y, dy, axis)
            assert_same(f"{name}_vjp", dtype, getattr(reference, name)(dy, axis), rows, axis)
    for target in range(-1, x.shape[1], 2):
        targets = np.full(len(x), target)
        for logits in (x, np.where(x == 1.5, 60, x)):  # e^60 is beyond the reach of `exp`
            assert_same("cross_entropy", dtype, logits, targets)
            with np.errstate(all="ignore"):
                _, *sums = reference.cross_entropy(logits, targets)
            for dloss in (other[:, 0], np.full(len(x), NAN), np.full(len(x), INF)):
                assert_same("cross_entropy_vjp", dtype, logits, *sums, targets, dloss)
    with np.errstate(all="ignore"):
        _, *stats = reference.layer_norm(x, weight, weight, 1e-5)
    assert_same("layer_norm", dtype, x, weight, weight, 1e-5)
    assert_same("layer_norm_vjp", dtype, other, x, weight, *stats)
    assert_same("layer_norm_vjp", dtype, x, other, weight, other.mean(1), 1 / other.std(1))
    assert_same("embedding_vjp", dtype, np.arange(len(x)) % 7, x, 7)


@needs_numba
@DTYPES
def test_special_products(dtype: Any) -> None:
    """The same in any order of summation: inf - inf and 0 inf are nan."""
    assert_same("matmul", dtype, ROWS, ROWS.T)
    assert_same("matmul", dtype, LONG, LONG.T)
    assert_same("matmul", dtype, ROWS.T, ROWS)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(("before", "after"), [((2, 1), (3,)), ((3,), (2, 1)), ((1, 3), (2, 1))])
def test_matmul_repeats_the_batch_that_is_meant(twin: ModuleType, before: Any, after: Any) -> None:
    """With whole numbers, so that every product is exact."""
    a = np.arange(60.0 * math.prod(before)).reshape(*before, 20, 3)
    b = np.arange(6.0 * math.prod(after)).reshape(*after, 3, 2)
    np.testing.assert_array_equal(twin.matmul(a, b), np.einsum("...ik,...kj->...ij", a, b))


@DTYPES
@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("columns", [511, 512, 513, 1041])
def test_matmul_of_several_blocks(twin: ModuleType, dtype: Any, columns: int, rng: Any) -> None:
    """With whole numbers, which are exact, row after row in memory or column after column.

    A block has up to 512 rows of b. Of a whose columns are contiguous up to 96 rows are copied at
    once, and there are two threads.
    """
    a, b = (rng.integers(-3, 4, shape).astype(dtype) for shape in ((203, 600), (600, columns)))
    for first, second in itertools.product("CF", repeat=2):
        ours = twin.matmul(a.astype(dtype, order=first), b.astype(dtype, order=second))
        np.testing.assert_array_equal(ours, a @ b)


@DTYPES
@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("length", [7, 40])
def test_nan_stays_in_its_head(twin: ModuleType, dtype: Any, length: int, rng: Any) -> None:
    """Heads of one batch share blocks of memory, and may lie side by side in a vector."""
    q, k, v, dout = rng.standard_normal((4, 3, 2, length, 5)).astype(dtype)
    for array in (q, k, v, dout):
        array[1, 1] = NAN
    out, lse = twin.attention(q, k, v, None, True)
    for result in (out, lse, *twin.attention_vjp(dout, q, k, v, out, lse, None, True)):
        lost = np.isnan(result).reshape(3, 2, -1)
        np.testing.assert_array_equal(lost.all(2), [[False, False], [False, True], [False, False]])
        np.testing.assert_array_equal(lost.any(2), lost.all(2))


@DTYPES
@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_nan_stays_in_its_row(twin: ModuleType, dtype: Any, bad: float, rng: Any) -> None:
    q, k, v = rng.standard_normal((3, 1, 2, 70, 5)).astype(dtype)
    x, w1, w2 = q.reshape(140, 5), rng.standard_normal((30, 5)).astype(dtype), v[0, 0, :7, :1]
    b1, w2 = w1[:, 0].copy(), np.resize(w2, (7, 30))
    with np.errstate(all="ignore"):
        q[0, 1, 40, 2] = bad  # which is row 110 of x
        lost = np.isnan(twin.mlp(x, w1, b1, w2, w2[:, 0], False)[0]).any(1)
        assert lost.nonzero()[0].tolist() == [110]
        lost = np.isnan(twin.attention(q, k, v, None, True)[0][0]).any(2)
        assert np.argwhere(lost).tolist() == [[1, 40]]
        q[0, 1, 40, 2], k[0, 1, 50, 3] = 0, NAN  # a key is seen from its position on
        lost = np.isnan(twin.attention(q, k, v, None, True)[0][0]).any(2)
        assert np.argwhere(lost).tolist() == [[1, t] for t in range(50, 70)]


# -- what holds for each by itself -----------------------------------------------------------------


@EACH
@DTYPES
def test_softmax_of_only_minus_infinity_is_zero(twin: ModuleType, dtype: Any) -> None:
    x = np.full((2, 5), -np.inf, dtype)
    x[1, 2] = 3
    np.testing.assert_array_equal(twin.softmax(x, 1), [[0] * 5, [0, 0, 1, 0, 0]])
    np.testing.assert_array_equal(twin.log_softmax(x, 1)[0], [-np.inf] * 5)


@EACH
def test_softmax_of_large_numbers(twin: ModuleType) -> None:
    x = np.array([[1e30, 1e30, -1e30], [-1e30, -1e30, -3e38]], np.float32)
    np.testing.assert_array_equal(twin.softmax(x, 1), [[0.5, 0.5, 0]] * 2)
    x = np.array([[1000.0, 0.0]])
    assert twin.cross_entropy(x, np.array([1]))[0] == 1000


@EACH
def test_cross_entropy_leaves_out_negative_targets(twin: ModuleType) -> None:
    logits, target = np.array([[1.0, 2.0], [np.nan, 0.0]]), np.array([0, -1])
    loss, *sums = twin.cross_entropy(logits, target)
    assert loss[1] == 0
    dlogits = twin.cross_entropy_vjp(logits, *sums, target, np.array([1, np.inf]))
    np.testing.assert_array_equal(dlogits[1], [0, 0])
    assert np.all(dlogits[0] != 0)


@EACH
@DTYPES
@pytest.mark.parametrize(("length", "now"), [(13, 7), (130, 70)])
def test_later_keys_change_nothing(
    twin: ModuleType, dtype: Any, length: int, now: int, rng: Any
) -> None:
    q, k, v, dout = rng.standard_normal((4, 1, 3, length, 5)).astype(dtype)
    out, lse = twin.attention(q, k, v, None, True)
    dq, _, _ = twin.attention_vjp(dout, q, k, v, out, lse, None, True)
    k[:, :, now:] *= 50
    v[:, :, now:] += 9
    others, other_lse = twin.attention(q, k, v, None, True)
    other_dq, _, _ = twin.attention_vjp(dout, q, k, v, others, other_lse, None, True)
    for ours, theirs in ((out, others), (lse, other_lse), (dq, other_dq)):
        np.testing.assert_array_equal(ours[:, :, :now], theirs[:, :, :now])
        assert not np.array_equal(ours[:, :, now:], theirs[:, :, now:])


@EACH
@DTYPES
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(7, 13), (40, 70), (70, 70), (3, 40)])
def test_padding_may_hold_anything(
    twin: ModuleType, dtype: Any, queries: int, keys: int, causal: bool, rng: Any
) -> None:
    """Keys and values from a row's length on are NaN; what they get is 0."""
    lengths = np.array([keys, 1, keys - 2])
    q, dout = rng.standard_normal((2, 3, 2, queries, 5)).astype(dtype)
    k, v = rng.standard_normal((2, 3, 2, keys, 5)).astype(dtype)
    padding = np.broadcast_to((np.arange(keys) >= lengths[:, None])[:, None, :, None], k.shape)
    clean = [np.where(padding, 0, array) for array in (k, v)]
    dirty = [np.where(padding, NAN, array).astype(dtype) for array in (k, v)]
    results = []
    for pair in (clean, dirty):
        out, lse = twin.attention(q, *pair, lengths, causal)
        grads = twin.attention_vjp(dout, q, *pair, out, lse, lengths, causal)
        results.append([out, lse, *grads])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for grad in results[1][3:]:
        np.testing.assert_array_equal(grad[padding], 0)


@EACH
def test_embedding_vjp_adds_up_repeated_ids(twin: ModuleType) -> None:
    dweight = twin.embedding_vjp(np.array([2, 0, 2, 2]), np.array([[1.0], [2], [4], [8]]), 4)
    np.testing.assert_array_equal(dweight, [[2], [0], [13], [0]])


@EACH
def test_adamw_in_plain_python(twin: ModuleType) -> None:
    """Algorithm 2 of the paper, number by number."""
    param, m, v = np.array([0.5, -2.0]), np.zeros(2), np.zeros(2)
    p, mean, square = 0.5, 0.0, 0.0
    for step, g in enumerate((0.3, -1.2, 0.7), 1):
        param = twin.adamw(param, np.array([g, 1.0]), m, v, step, 0.1, (0.9, 0.99), 1e-8, 0.2)
        mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g * g
        root = math.sqrt(square / (1 - 0.99**step)) + 1e-8
        p += -0.1 * 0.2 * p - 0.1 * mean / (1 - 0.9**step) / root
    np.testing.assert_allclose(
        [param[0], m[0], v[0]], [p, mean, square], rtol=1e-14
    )  # 64 roundings


@EACH
@pytest.mark.parametrize("step", [1, 1000])
def test_adamw_of_a_gradient_whose_square_overflows(twin: ModuleType, step: int) -> None:
    """g^2 overflows, but v = (1 - b2) g^2 does not. From m = v = 0 any g gives the same step."""
    new = []
    for g in (1.0, 5e20):
        param, m, v = np.zeros((3, 20), np.float32)
        grad = np.full(20, g, np.float32)
        new.append(twin.adamw(param, grad, m, v, step, 0.1, (0.9, 0.999), 0.0, 0.0))
    assert np.all(new[0] < 0)
    np.testing.assert_allclose(new[1], new[0], rtol=float(8 * np.finfo(np.float32).eps))


# -- accuracy in float32, in units in the last place -----------------------------------------------


def points(low: float, high: float) -> Array:
    """Numbers from low to high, evenly spread, and others of every order of magnitude."""
    small = np.geomspace(1e-30, 1, 20_001)
    even = np.linspace(low, high, 100_001)
    return np.concatenate([even, low * small, high * small]).astype(np.float32)


def ulps(ours: Array, want: Array) -> Any:
    assert ours.dtype == np.float32
    return np.abs(ours - want) / np.spacing(np.abs(want).astype(np.float32))


@pytest.fixture(scope="module")
def loops() -> Any:
    """The functions that are for use in compiled code, as loops over arrays: y = f(x, ...)."""
    numba = pytest.importorskip("numba")
    from minigrad.kernels.compiled.exp import exp, exp2
    from minigrad.kernels.compiled.gelu import normal_cdf, normal_density

    @numba.njit(error_model="numpy")
    def exps(x, y):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            y[i] = exp(x[i])

    @numba.njit(error_model="numpy")
    def powers(x, y):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            y[i] = exp2(x[i])

    @numba.njit(error_model="numpy")
    def densities(x, y):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            y[i] = normal_density(x[i])

    @numba.njit(error_model="numpy")
    def cdfs(x, density, y):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            y[i] = normal_cdf(x[i], density[i])

    return exps, densities, cdfs, powers


def test_exp(loops: Any) -> None:
    x = points(-103.9, 44)
    y = np.empty_like(x)
    loops[0](x, y)
    assert ulps(y, np.exp(x.astype(float))).max() < 1.3  # as its docstring says; measured: 0.9
    x = np.array([-np.inf, -1e30, -105, 0, 90, 1e30, np.inf, np.nan, -np.nan], np.float32)
    y = np.empty_like(x)
    with np.errstate(over="ignore"):  # where NUMBA_DISABLE_JIT leaves the loop to Python
        loops[0](x, y)
    np.testing.assert_array_equal(y, [0, 0, 0, 1, np.inf, np.inf, np.inf, np.nan, np.nan])


def test_exp2(loops: Any) -> None:
    x = points(-149.9, 63)
    y = np.empty_like(x)
    loops[3](x, y)
    assert ulps(y, np.exp2(x.astype(float))).max() < 1  # as its docstring says; measured: 0.93
    x = np.array([-np.inf, -1e30, -151, -149, 0, 1, 63, np.nan, -np.nan], np.float32)
    y = np.empty_like(x)
    with np.errstate(over="ignore"):  # where NUMBA_DISABLE_JIT leaves the loop to Python
        loops[3](x, y)
    np.testing.assert_array_equal(y, [0, 0, 0, 2.0**-149, 1, 2, 2.0**63, np.nan, np.nan])


def normal_density(x: Array) -> Array:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(("largest", "limit"), [(1, 2), (4, 6), (12.5, 70)])
def test_normal_density(loops: Any, largest: float, limit: float) -> None:
    """x^2 is rounded, and the error of an exponent grows with it."""
    x = points(-largest, largest)
    y = np.empty_like(x)
    loops[1](x, y)
    assert ulps(y, normal_density(x.astype(float))).max() < limit  # measured: 1.5, 4.8, 64
    x = np.array([-np.inf, -1e30, -15, 15, 1e30, np.inf, np.nan], np.float32)
    y = np.empty_like(x)
    with np.errstate(over="ignore"):
        loops[1](x, y)
    np.testing.assert_array_equal(y, [0, 0, 0, 0, 0, 0, np.nan])


def test_normal_cdf(loops: Any) -> None:
    """The density is given, right to the last place."""
    x = points(-12, 12)
    exact = x.astype(float)
    y = np.empty_like(x)
    loops[2](x, normal_density(exact).astype(np.float32), y)
    assert ulps(y, normal_cdf(exact)).max() < 7  # measured: 5.4, just under 0


@EACH
@pytest.mark.parametrize(
    ("low", "high", "limit"),
    [
        (-1, 13, 7),  # measured: 5.6
        (-4, -1, 9),  # 7.3: from here on the error of x^2/2, the exponent, grows with it
        (-8, -4, 24),  # 19.4
        (-12.5, -8, 80),  # 64
    ],
)
def test_gelu(twin: ModuleType, low: float, high: float, limit: float) -> None:
    x = points(low, high)
    x = x[(x >= low) & (x <= high)]
    exact = x.astype(float)
    assert ulps(twin.gelu(x, "none"), exact * normal_cdf(exact)).max() < limit


@EACH
def test_gelu_far_out(twin: ModuleType) -> None:
    x = np.array([1e30, 20, 7, -20, -1e30], np.float32)
    for approximate in ("none", "tanh"):
        np.testing.assert_array_equal(twin.gelu(x, approximate), x * (x > 0))
        slope = twin.gelu_vjp(x, np.ones_like(x), approximate)
        np.testing.assert_allclose(slope, [1, 1, 1, 0, 0], atol=1e-9)  # at 7: 1 + 6e-11


@EACH
def test_erf(twin: ModuleType) -> None:
    x = points(-5, 5)
    want = np.array([math.erf(a) for a in x.tolist()])
    assert ulps(twin.erf(x), want).max() < 1.5  # the C library's; measured: 0.8
