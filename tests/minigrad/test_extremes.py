"""Very large and very small inputs, compared with results of many digits, or as documented.

The references are plain formulas on `decimal.Decimal`, whose exponents are large enough to need no
care, and their gradients differences at a step of 1e-50, which is as good as exact.
"""

from __future__ import annotations

import decimal
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pytest
from cases import Array

import minigrad as mg
from minigrad import Tensor

pytestmark = pytest.mark.usefixtures("backend")

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
INF, NAN = np.inf, np.nan
STEP = Decimal("1e-50")


# -- definitions -----------------------------------------------------------------------------------

decimals = np.frompyfunc(lambda x: Decimal(float(x)), 1, 1)
exp, ln, sqrt = (np.frompyfunc(f, 1, 1) for f in (Decimal.exp, Decimal.ln, Decimal.sqrt))


@functools.cache
def _integral(x: Decimal) -> Decimal:
    """Of e^(-t^2) for t in 0..x, by a series whose terms have all one sign."""
    term = total = x
    n = 0
    while abs(term) > abs(total) * Decimal("1e-420"):
        n += 1
        term *= 2 * x * x / (2 * n + 1)
        total += term
    return (-x * x).exp() * total


def _erf(x: Decimal) -> Decimal:
    """The integral up to 40 is the whole, but for 1e-697 of it."""
    return _integral(x) / _integral(Decimal(40)) if abs(x) < 40 else Decimal(1).copy_sign(x)


erf = np.frompyfunc(_erf, 1, 1)


def gelu(x: Array) -> Array:
    return x * (1 + erf(x / Decimal(2).sqrt())) / 2


def gelu_tanh(x: Array) -> Array:
    slope = 1 / (_integral(Decimal(40)) * Decimal(2).sqrt())  # sqrt(2/pi)
    return x / (1 + exp(-2 * slope * (x + Decimal("0.044715") * x**3)))


def softplus(x: Array) -> Any:
    e: Any = exp(x)
    return ln(1 + e)


def total(x: Array) -> Any:
    e: Any = exp(x)
    return e.sum(axis=-1)


def softmax(x: Array) -> Any:
    e: Any = exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    deviation = x - x.mean(axis=-1, keepdims=True)
    var = (deviation**2).mean(axis=-1, keepdims=True)
    return weight * deviation / sqrt(var + Decimal(1) / 2**10) + bias


class Extreme(NamedTuple):
    """An operation, its formula on Decimals, and the arrays to test it on."""

    name: str
    f: Callable[..., Tensor]
    reference: Callable[..., Any]
    arrays: tuple[Any, ...]
    digits: int = 100


FAR = [0.0, 40.0, -40.0, 1e4, -1e4, 1e20, -1e20]
ROWS = [
    [1e4, -1e4, 0],
    [1e4, 1e4 - 1, 1e4 - 2.5],
    [-1e4, -1e4, -1e4],
    [-1e4, -1e4 + 1, 1e4],
    [-INF, 1e4, 1e4 - 1],
    [-INF, -1e4, -1e4 + 2],
    [-INF, 3, -INF],
    [1, 2, 3],
]
TARGET = np.arange(len(ROWS)) % 3
NORM = np.array([[1, 2, -3, 0.5], [7, 7, 7, 7], [0.1, 0.1, 0.1, 0.1]])
WEIGHT, BIAS = [1, 2, 0.5, -1], [3, 4, 5, 6]
EXTREMES = [
    Extreme("erf", mg.erf, erf, (FAR,), 420),
    Extreme("gelu", mg.gelu, gelu, (FAR,), 420),
    Extreme("gelu, tanh", lambda x: mg.gelu(x, "tanh"), gelu_tanh, (FAR,), 420),
    Extreme("sigmoid", mg.sigmoid, lambda x: 1 / (1 + exp(-x)), (FAR,)),
    Extreme("softplus", mg.softplus, softplus, (FAR[:5],)),
    Extreme("silu", mg.silu, lambda x: x / (1 + exp(-x)), (FAR,)),
    *[
        Extreme(f"glu, a gate of {b}", mg.glu, lambda x: x[:1] / (1 + exp(-x[1:])), ([3.0, b],))
        for b in (20.0, -20.0, 80.0, -80.0)
    ],
    Extreme("softmax", mg.softmax, softmax, (ROWS,)),
    Extreme("log_softmax", mg.log_softmax, lambda x: ln(softmax(x)), (ROWS,)),
    Extreme("logsumexp", lambda x: mg.logsumexp(x, -1), lambda x: ln(total(x)), (ROWS,)),
    Extreme(
        "cross_entropy",
        lambda x: mg.cross_entropy(x, TARGET, reduction="none"),
        lambda x: -ln(softmax(x)[range(len(ROWS)), TARGET]),
        (ROWS,),
    ),
    *[
        Extreme(
            f"layer_norm at {scale:.0e}",
            lambda x, w, b: mg.layer_norm(x, w, b, eps=2**-10),
            layer_norm,
            (scale * NORM, WEIGHT, BIAS),
        )
        for scale in (1, 1e4, 1e30, 1e-30)
    ],
    Extreme(
        "layer_norm of one entry",
        lambda x, w, b: mg.layer_norm(x, w, b, eps=2**-10),
        layer_norm,
        ([[0], [3], [-1e30], [1e-30]], [2], [5]),
    ),
]


def differences(extreme: Extreme, arrays: list[Array], cotangent: Array) -> list[Array]:
    """The gradients of sum(cotangent y), for -inf with -10^6, whose e^x is 0 to 434,000 digits."""
    points = [decimals(np.where(array == -INF, -1e6, array)) for array in arrays]
    gradients = []
    for point in points:
        gradients.append(np.zeros(point.shape))
        for index in np.ndindex(point.shape):
            x, values = point[index], []
            h = STEP * max(1, abs(x))
            for moved in (x + h, x - h):
                point[index] = moved
                values.append((decimals(cotangent) * extreme.reference(*points)).sum())
            point[index] = x
            gradients[-1][index] = (values[0] - values[1]) / (2 * h)
    return gradients


def assert_close(ours: Any, want: Array, dtype: Any) -> None:
    """Within 16 roundings of each entry; or of the largest in its row, if entries may cancel."""
    limits = np.finfo(dtype)
    size = np.abs(want)
    if want.ndim == 2:
        size = np.where(np.isfinite(want), size, 0).max(axis=-1, keepdims=True)
    bound = 16 * limits.eps * np.where(size < INF, size, 0) + limits.tiny
    assert ours.dtype == dtype
    same = (ours == want) | (np.abs(ours - np.where(np.isfinite(want), want, NAN)) <= bound)
    assert np.all(same), f"{ours[~same]} for {want[~same]}"


@both_dtypes
@pytest.mark.parametrize("extreme", EXTREMES, ids=lambda extreme: extreme.name)
def test_against_many_digits(extreme: Extreme, dtype: Any, rng: np.random.Generator) -> None:
    arrays = [np.array(array, dtype) for array in extreme.arrays]
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    y = extreme.f(*leaves)
    cotangent = rng.standard_normal(y.shape).astype(dtype)
    y.backward(cotangent)
    traps: Any = [decimal.InvalidOperation]
    with decimal.localcontext(prec=extreme.digits, traps=traps):
        value = extreme.reference(*map(decimals, arrays)).astype(float)
        gradients = differences(extreme, arrays, cotangent)
    assert_close(y.data, value, dtype)
    for leaf, gradient in zip(leaves, gradients, strict=True):
        assert_close(leaf.grad, gradient, dtype)


# -- where mathematics has no value, the documented one --------------------------------------------


def leaf(data: Any, dtype: Any = np.float64) -> Tensor:
    return Tensor(np.array(data, dtype), requires_grad=True)


@both_dtypes
def test_layer_norm_of_large_rows_and_gradients(dtype: Any, rng: np.random.Generator) -> None:
    """The product of the two overflows, what it is divided by not: backward is linear in dy."""
    size, grads = np.sqrt(np.finfo(dtype).max), []
    cotangent = rng.standard_normal((2, 5)).astype(dtype)
    rows = rng.standard_normal((2, 5)) * float(size)
    for scale in (1, 2.0 ** (np.finfo(dtype).maxexp // 2)):
        x = leaf(rows, dtype)
        mg.layer_norm(x, np.ones(5), np.zeros(5)).backward(scale * cotangent)
        grads.append(np.asarray(x.grad) / dtype(scale))
    np.testing.assert_array_equal(grads[1], grads[0])


@both_dtypes
def test_rows_of_minus_infinity(dtype: Any) -> None:
    """No probability is left: softmax gives 0, its logarithm -inf, their gradients as for numbers.

    cross_entropy, -inf + inf, gives nan.
    """
    for f, value, gradient in (
        (mg.softmax, [[0, 0]], [[0, 0]]),
        (mg.log_softmax, [[-INF, -INF]], [[2, 3]]),
        (lambda x: mg.logsumexp(x, -1, keepdims=True) + np.zeros(2), [[-INF, -INF]], [[0, 0]]),
    ):
        x = leaf([[-INF, -INF]], dtype)
        y = f(x)
        y.backward([[2, 3]])
        np.testing.assert_array_equal(y.data, value)
        np.testing.assert_array_equal(x.grad, gradient)
    with np.errstate(invalid="ignore"):
        assert np.isnan(mg.cross_entropy(leaf([[-INF, -INF]], dtype), [0]).item())


@both_dtypes
def test_a_fully_masked_row_of_attention(dtype: Any, rng: np.random.Generator) -> None:
    """Its output and gradient are 0, and it does not change any other row."""
    scores, v = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    mask = np.array([[0, 0, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0]], bool)
    cotangent = rng.standard_normal((3, 2))
    grads = []
    for rows in ([0, 1, 2], [0, 2]):
        s, values = leaf(scores[rows], dtype), leaf(v, dtype)
        y = mg.softmax(mg.where(mask[rows], -INF, s)) @ values
        y.backward(cotangent[rows])
        grads.append((np.asarray(s.grad), np.asarray(values.grad), y.data))
    (ds, dv, whole), (ds_others, dv_others, y_others) = grads
    np.testing.assert_array_equal(whole[1], 0)
    np.testing.assert_array_equal(ds[1], 0)
    for all_rows, others in ((ds[[0, 2]], ds_others), (dv, dv_others), (whole[[0, 2]], y_others)):
        np.testing.assert_allclose(all_rows, others, rtol=float(16 * np.finfo(dtype).eps))


@both_dtypes
@pytest.mark.parametrize("length", [3, 40])
def test_attention_with_scores_far_apart(length: int, dtype: Any, rng: np.random.Generator) -> None:
    """Scores differ by more than 1e3: each query sees only the key at its own position."""
    one_hot = 200 * np.eye(length)[None, None]
    q, k = leaf(one_hot, dtype), leaf(one_hot, dtype)
    v = leaf(rng.standard_normal(q.shape), dtype)
    y = mg.causal_attention(q, k, v)
    cotangent = rng.standard_normal(q.shape).astype(dtype)
    y.backward(cotangent)
    np.testing.assert_array_equal(y.data, v.data)
    np.testing.assert_array_equal(v.grad, cotangent)
    rounding = 200 * 16 * np.finfo(dtype).eps  # dp - sum(dp p), times a key
    for leaf_ in (q, k):
        np.testing.assert_allclose(np.asarray(leaf_.grad), 0, atol=rounding)


@both_dtypes
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(6, 9), (6, 40), (20, 40)])
def test_attention_to_the_only_key_that_is_no_padding(
    queries: int, keys: int, causal: bool, dtype: Any, rng: np.random.Generator
) -> None:
    """Its value whatever the scores; what stands in the padding is infinite."""
    arrays = rng.standard_normal((3, 2, 3, keys, 5))
    arrays[1:, :, :, 1:] = -INF
    q, k, v = (leaf(a, dtype) for a in (arrays[0, :, :, :queries], *arrays[1:]))
    lengths = np.array([1, 1])
    y = mg.attention(q, k, v, causal=causal, lengths=lengths)
    lengths[:] = keys  # the operation has a copy
    cotangent = rng.standard_normal(q.shape).astype(dtype)
    y.backward(cotangent)
    np.testing.assert_array_equal(y.data, np.broadcast_to(v.data[:, :, :1], y.shape))
    rounding = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(np.asarray(q.grad), 0, atol=rounding)
    for tensor, want in ((k, 0), (v, cotangent.sum(2))):
        grad = np.asarray(tensor.grad)
        np.testing.assert_allclose(grad[:, :, 0], want, rtol=0, atol=rounding)
        np.testing.assert_array_equal(grad[:, :, 1:], 0)


@both_dtypes
@pytest.mark.parametrize("keys", [9, 40])
def test_padding_beside_very_low_scores(keys: int, dtype: Any, rng: np.random.Generator) -> None:
    """All scores are -2000: e^2000 overflows. Whole numbers, so that all is exact."""
    q, k = leaf(np.ones((2, 1, keys, 4)), dtype), leaf(np.full((2, 1, keys, 4), -1000), dtype)
    v = leaf(rng.integers(-4, 5, q.shape), dtype)
    cotangent = rng.integers(-4, 5, q.shape)
    mg.attention(q, k, v, lengths=[1, 1]).backward(cotangent)
    wanted = np.zeros(v.shape)
    wanted[:, :, 0] = cotangent.sum(2)
    for tensor, want in ((q, 0), (k, 0), (v, wanted)):
        np.testing.assert_array_equal(np.asarray(tensor.grad), np.broadcast_to(want, q.shape))


@both_dtypes
@pytest.mark.parametrize("g", [-1e4, -np.inf])
def test_decayed_attention_that_forgets_all(g: float, dtype: Any, rng: np.random.Generator) -> None:
    """Each position sees only itself; the sum of the decays overflows what e^-g can hold."""
    arrays = rng.standard_normal((4, 2, 1, 40, 3)).astype(dtype)
    q, k, v, decays = (leaf(a, dtype) for a in (*arrays[:3], np.full(arrays[0].shape, g)))
    y = mg.decayed_attention(q, k, v, decays)
    y.backward(arrays[3])
    _, dout = arrays[2:]
    scores, dscores = (np.sum(a, -1, keepdims=True) for a in (q.data * k.data, v.data * dout))
    rounding = 16 * np.finfo(dtype).eps
    pairs = [(y.data, scores * v.data), (q.grad, dscores * k.data), (k.grad, dscores * q.data)]
    for ours, want in (*pairs, (v.grad, scores * dout)):
        np.testing.assert_allclose(np.asarray(ours), want, rtol=0, atol=rounding * abs(want).max())
    np.testing.assert_array_equal(decays.grad, 0)


@both_dtypes
def test_decayed_attention_that_grows(dtype: Any, rng: np.random.Generator) -> None:
    """The product of all e^g overflows, but there is little that it acts on."""
    late, early = np.arange(2000)[:, None] >= 1990, np.arange(2000)[:, None] < 10
    q, k, v = (leaf(a, dtype) for a in rng.standard_normal((3, 1, 1, 2000, 2)))
    k.data = k.data * late
    y = mg.decayed_attention(q, k, v, 1.0)
    assert np.isfinite(y.data).all()
    assert y.data.any()
    q.data = q.data * early  # R, which grows on the way back, begins there
    mg.decayed_attention(q, k, v, 1.0).backward(v.data)
    assert all(np.isfinite(np.asarray(a.grad)).all() for a in (q, k, v))


@both_dtypes
def test_nothing_goes_to_what_was_not_chosen(dtype: Any) -> None:
    """Even if the slope after the choice is infinite, as of sqrt(max(x, 0)) at x < 0."""
    for f in (
        mg.relu,
        lambda x: mg.maximum(x, 0),
        lambda x: mg.maximum(0, x),
        lambda x: -mg.minimum(-x, 0),
        lambda x: mg.clip(x, 0, 9),
        lambda x: mg.max(mg.stack([x, [0, 4]]), axis=0),
        lambda x: -mg.min(mg.stack([-x, [0, -4]]), axis=0),
    ):
        x = leaf([-1, 5], dtype)
        with np.errstate(divide="ignore"):
            mg.sqrt(f(x)).backward([2, 2])
        np.testing.assert_array_equal(x.grad, np.array([0, 1 / np.sqrt(dtype(5))], dtype))


def test_reductions_of_nothing() -> None:
    """As in NumPy, but in silence: a sum of 0, a mean and a variance of nan."""
    for f, value in ((mg.sum, 0), (mg.mean, NAN), (mg.var, NAN), (mg.logsumexp, -INF)):
        for shape, axis in (((0,), None), ((3, 0), 1), ((0, 3), 0)):
            x = leaf(np.zeros(shape))
            y = f(x, axis=axis)
            y.backward(np.ones(y.shape))
            np.testing.assert_array_equal(y.data, np.full(y.shape, value))
            assert x.grad is not None
            assert x.grad.shape == shape
    for f in (mg.max, mg.min):
        with pytest.raises(ValueError, match="there is no entry"):
            f(leaf(np.zeros((3, 0))), axis=1)


def test_powers_of_0() -> None:
    """exp and the powers that have a slope there; log and sqrt: see test_ops_conventions.py."""
    x = leaf([0])
    mg.exp(x).backward([3])
    np.testing.assert_array_equal(x.grad, [3])
    a = leaf([0, 0])
    with np.errstate(divide="ignore"):
        y = a ** Tensor(np.array([-1, 0.5]))
        y.backward([2, 3])
    np.testing.assert_array_equal(y.data, [INF, 0])
    np.testing.assert_array_equal(a.grad, [-INF, INF])
