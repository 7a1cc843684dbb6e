"""What operations do at kinks, ties and bounds, far out, and where nothing counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor

pytestmark = pytest.mark.usefixtures("backend")

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
both_gelus = pytest.mark.parametrize("approximate", ["none", "tanh"])
INF, NAN = np.inf, np.nan


def leaf(data: Any, dtype: Any = np.float64) -> Tensor:
    return Tensor(np.array(data, dtype), requires_grad=True)


def assert_equal(ours: Any, want: Any) -> None:
    """Equal entry by entry: what is pinned here involves no rounding."""
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(want))


def assert_near(ours: Any, want: Any, dtype: Any) -> None:
    """Within a few roundings."""
    np.testing.assert_allclose(np.asarray(ours), want, rtol=8 * np.finfo(dtype).eps)


# -- kinks and ties --------------------------------------------------------------------------------


def test_relu_at_0() -> None:
    x = leaf([-1, -0.0, 0.0, 2, NAN])
    y = mg.relu(x)
    y.backward([2, 3, 5, 7, 11])
    assert_equal(y.data, [0, 0, 0, 2, NAN])
    assert_equal(x.grad, [0, 0, 0, 7, NAN])


def test_abs_at_0() -> None:
    x = leaf([-1, -0.0, 0.0, 2])
    mg.abs(x).backward([2, 3, 5, 7])
    assert_equal(x.grad, [-2, 0, 0, 7])


@pytest.mark.parametrize("operation", [mg.maximum, mg.minimum])
def test_two_that_tie_share_equally(operation: Any) -> None:
    a, b = leaf([1, -0.0, INF, -INF]), leaf([1, 0.0, INF, -INF])
    operation(a, b).backward([2, 4, 6, 8])
    assert_equal(a.grad, [1, 2, 3, 4])
    assert_equal(b.grad, [1, 2, 3, 4])


@pytest.mark.parametrize("operation", [mg.maximum, mg.minimum])
def test_a_tensor_that_ties_with_itself_gets_all(operation: Any) -> None:
    a = leaf([1, 2])
    operation(a, a).backward([3, 5])
    assert_equal(a.grad, [3, 5])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("axis", "cotangent", "share"),
    [
        (None, 6, [[0, 2, 0], [0, 0, 2], [0, 0, 2]]),
        ((0, 1), 6, [[0, 2, 0], [0, 0, 2], [0, 0, 2]]),
        (0, [1, 2, 6], [[1, 2, 0], [0, 0, 3], [0, 0, 3]]),
        (1, [1, 2, 3], [[0, 1, 0], [0, 0, 2], [0, 0, 3]]),
    ],
)
def test_largest_and_smallest_that_tie_share_equally(
    sign: int, axis: Any, cotangent: Any, share: Any
) -> None:
    x = leaf(sign * np.array([[1, 3, 0], [0, 1, 3], [0, 2, 3]]))
    (mg.max if sign == 1 else mg.min)(x, axis).backward(cotangent)
    assert_equal(x.grad, share)


def test_clip_on_a_bound_shares_with_it() -> None:
    x, low, high = leaf([-2, -1, 0, 1, 2]), leaf(-1), leaf(1)
    y = mg.clip(x, low, high)
    y.backward([2, 4, 8, 16, 32])
    assert_equal(y.data, [-1, -1, 0, 1, 1])
    assert_equal(x.grad, [0, 2, 8, 8, 0])
    assert_equal(low.grad, 2 + 2)
    assert_equal(high.grad, 8 + 32)


def test_clip_by_one_bound() -> None:
    x = leaf([-2, -1, 0, 1, 2])
    assert_equal(mg.clip(x, -1).data, [-1, -1, 0, 1, 2])
    assert_equal(mg.clip(x, high=1).data, [-2, -1, 0, 1, 1])
    assert_equal(x.clip(low=-1, high=1).data, [-1, -1, 0, 1, 1])
    (mg.clip(x, -1) + mg.clip(x, high=1)).backward(np.full(5, 2.0))
    assert_equal(x.grad, [2, 3, 4, 3, 2])


def test_where_lets_nothing_through_from_what_was_not_taken() -> None:
    a, b = leaf([1, NAN, 3]), leaf([INF, 5, 6])
    y = mg.where([True, False, True], a, b)
    y.backward([2, 3, 4])
    assert_equal(y.data, [1, 5, 3])
    assert_equal(a.grad, [2, 0, 4])
    assert_equal(b.grad, [0, 3, 0])


def test_a_condition_widens_nothing() -> None:
    y = mg.where(Tensor(np.ones(2)), leaf([1, 2], np.float32), 0)
    assert y.dtype == np.float32


def test_power_at_0() -> None:
    a, b = leaf([0, 0, 0, 0, 2, -2]), leaf([0, 1, 2, 3.5, 0, 3])
    y = a ** b.detach()
    y.backward([2, 3, 5, 7, 11, 13])
    assert_equal(y.data, [1, 0, 0, 0, 1, -8])
    assert_equal(a.grad, [0, 3, 0, 0, 0, 13 * 12])
    (a.detach()[:4] ** b[:4]).backward([2, 3, 5, 7])
    assert_equal(b.grad, np.zeros(6))


def test_square_of_a_negative_number() -> None:
    """There is no warning: only the exponent's gradient has a logarithm, and it is not needed."""
    x = leaf([-3, 0])
    (x**2).backward([1, 1])
    assert_equal(x.grad, [-6, 0])


def test_log_and_sqrt_at_0() -> None:
    x, z = leaf([0, 4]), leaf([0, 4])
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        y = mg.log(x)
    assert_equal(y.data, [-INF, np.log(4)])
    with np.errstate(divide="ignore"):
        y.backward([1, 1])
        mg.sqrt(z).backward([1, 1])
    assert_equal(x.grad, [INF, 0.25])
    assert_equal(z.grad, [INF, 0.25])


def test_variance_is_numpys() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert_near(mg.var(x, 1, correction=1).data, np.var(x, axis=1, ddof=1), np.float64)
    assert_equal(mg.var(x, 1, correction=5).data, [INF] * 3)  # not negative
    alone = leaf([[1.0], [2.0]])
    y = mg.var(alone, 1, correction=1)
    y.backward([1, 1])
    assert_equal(y.data, [NAN, NAN])
    assert_equal(alone.grad, [[NAN], [NAN]])


def test_matmul_of_a_vector_and_a_batch() -> None:
    """The vector is in every product of the batch, and gets the gradients of all."""
    v, m = leaf([2, 3]), leaf(np.arange(12).reshape(3, 2, 2))
    dy = np.array([[1, 2], [5, 7], [11, 13]])
    (v @ m).backward(dy)
    assert_equal(v.grad, np.einsum("bij,bj->i", m.data, dy))
    v.zero_grad()
    (m @ v).backward(dy)
    assert_equal(v.grad, np.einsum("bij,bi->j", m.data, dy))


# -- far out ---------------------------------------------------------------------------------------


@both_dtypes
def test_softmax_far_out(dtype: Any) -> None:
    x = leaf([[1e4, 0, -1e4], [-1e4, -1e4, -INF], [-INF, -INF, -INF]], dtype)
    p = mg.softmax(x)
    p.backward(np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]], dtype))
    assert_equal(p.data, [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 0]])
    assert_equal(x.grad, [[0, 0, 0], [-0.25, 0.25, 0], [0, 0, 0]])


@both_dtypes
def test_log_softmax_far_out(dtype: Any) -> None:
    x = leaf([[1e4, 0, -1e4], [-1e4, -1e4, -INF], [-INF, -INF, -INF]], dtype)
    y = mg.log_softmax(x)
    y.backward(np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]], dtype))
    half = np.log(dtype(0.5))
    assert_near(y.data, [[0, -1e4, -2e4], [half, half, -INF], [-INF, -INF, -INF]], dtype)
    assert_near(x.grad, [[-5, 2, 3], [-2, -1, 3], [1, 2, 3]], dtype)


@both_dtypes
def test_logsumexp_far_out(dtype: Any) -> None:
    x = leaf([[1e4, 0], [-1e4, -1e4], [3, -INF], [-INF, -INF]], dtype)
    y = mg.logsumexp(x, axis=1)
    y.backward(np.array([2, 2, 2, 2], dtype))
    assert_near(y.data, [1e4, -1e4 + np.log(2), 3, -INF], dtype)
    assert_near(x.grad, [[2, 0], [1, 1], [2, 0], [0, 0]], dtype)


@both_dtypes
def test_cross_entropy_far_out(dtype: Any) -> None:
    x = leaf([[1e4, -1e4], [1e4, -1e4], [0, -INF], [0, -INF]], dtype)
    y = mg.cross_entropy(x, [0, 1, 0, 1], reduction="none")
    y.backward(np.array([2, 2, 2, 2], dtype))
    assert_equal(y.data, [0, 2e4, 0, INF])
    assert_equal(x.grad, [[0, 0], [2, -2], [0, 0], [2, -2]])


@both_dtypes
@both_gelus
@pytest.mark.parametrize("far", [40, 1e4, 1e18])
def test_gelu_far_out(approximate: str, far: float, dtype: Any) -> None:
    x = leaf([far, -far, 0], dtype)
    y = mg.gelu(x, approximate)
    y.backward(np.array([3, 5, 7], dtype))
    assert_equal(y.data, np.array([far, 0, 0], dtype))
    assert_equal(x.grad, [3, 0, 3.5])


@both_dtypes
def test_gelu_keeps_its_digits_in_the_left_tail(dtype: Any) -> None:
    """P(Z <= -10) = 7.6198530241605260660e-24 (Abramowitz and Stegun, table 26.2)."""
    y = mg.gelu(leaf([-10], dtype))
    # e^(-50): rounding of the exponent counts fifty times.
    np.testing.assert_allclose(y.data, -7.619853024160526e-23, rtol=50 * 4 * np.finfo(dtype).eps)


@both_dtypes
def test_erf_and_tanh_far_out(dtype: Any) -> None:
    for function, limits in ((mg.erf, [1, -1]), (mg.tanh, [1, -1])):
        for far in (40, 1e20):
            x = leaf([far, -far], dtype)
            y = function(x)
            y.backward(np.array([3, 5], dtype))
            assert_equal(y.data, limits)
            # 1 - y^2 with y within a rounding of 1
            np.testing.assert_allclose(np.asarray(x.grad), 0, atol=8 * np.finfo(dtype).eps)


@both_dtypes
def test_sigmoid_keeps_its_digits_on_both_sides(dtype: Any) -> None:
    """For large |x|, y is 1 or e^-|x|, and y (1 - y) is e^-|x|, with all their digits."""
    x = leaf([40, -40, 1e4, -1e4], dtype)
    y = mg.sigmoid(x)
    y.backward(np.array([3, 5, 7, 11], dtype))
    tail = math.exp(-40)
    assert_near(y.data, [1, tail, 1, 0], dtype)
    assert_near(x.grad, [3 * tail, 5 * tail, 0, 0], dtype)


@both_dtypes
@pytest.mark.parametrize("level", [0, 1, -1e4])
def test_layer_norm_of_a_constant_row(level: float, dtype: Any) -> None:
    """All deviations are 0: the output is the bias, and backward scales by 1/sqrt(eps)."""
    x, weight, bias = (
        leaf([[level] * 4], dtype),
        leaf([1, 2, 3, 4], dtype),
        leaf([5, 6, 7, 8], dtype),
    )
    y = mg.layer_norm(x, weight, bias, eps=1e-4)
    y.backward(np.array([[1, 1, 1, 1]], dtype))
    assert_equal(y.data, [[5, 6, 7, 8]])
    assert_near(x.grad, [[-150, -50, 50, 150]], dtype)
    assert_equal(weight.grad, [0, 0, 0, 0])
    assert_equal(bias.grad, [1, 1, 1, 1])


@both_dtypes
def test_rows_of_one_entry_have_no_gradient(dtype: Any, rng: np.random.Generator) -> None:
    """Exactly 0: a rounding error would be scaled up by 1/sqrt(eps)."""
    x, weight = leaf(rng.standard_normal((99, 1)), dtype), leaf(rng.standard_normal(1), dtype)
    mg.layer_norm(x, weight, weight).backward(rng.standard_normal(x.shape).astype(dtype))
    assert_equal(x.grad, np.zeros(x.shape))


# -- targets and ids -------------------------------------------------------------------------------

losses = pytest.mark.parametrize("loss", [mg.cross_entropy, mg.nll_loss])


@losses
def test_no_target_counts(loss: Any) -> None:
    for reduction, want in (("mean", NAN), ("sum", 0), ("none", [0, 0])):
        scores = leaf([[1, 2, 3], [4, 5, 6]])
        y = loss(scores, [-100, -100], reduction=reduction)
        y.backward(np.ones(y.shape))
        assert_equal(y.data, want)
        assert_equal(scores.grad, np.zeros((2, 3)))


@losses
def test_mean_is_over_the_targets_that_count(loss: Any) -> None:
    scores = leaf([[1, 2, 3], [4, 5, 7], [8, 8, 8]])
    mean = loss(scores, [0, 2, 1], ignore_index=2)
    each = loss(scores[[0, 2]], [0, 1])
    mean.backward()
    gradient, scores.grad = scores.grad, None
    each.backward()
    assert_near(mean.data, each.data, np.float64)
    assert gradient is not None
    assert_equal(gradient[1], [0, 0, 0])
    assert_near(gradient, scores.grad, np.float64)


@losses
def test_an_ignored_target_need_be_no_class(loss: Any) -> None:
    assert loss(leaf([[1, 2]]), [7], ignore_index=7, reduction="sum").item() == 0
    with pytest.raises(IndexError, match=r"target -100 at \[0\] is outside 0\.\.1"):
        loss(leaf([[1, 2]]), [-100], ignore_index=7)


def test_embedding_is_the_product_with_one_hot_rows(rng: np.random.Generator) -> None:
    ids = np.array([[3, 0, 3], [3, 1, 0]])
    one_hot = np.eye(5)[ids]
    weight, other = leaf(rng.standard_normal((5, 4))), leaf(np.zeros((5, 4)))
    other.data = weight.data
    y, want = mg.embedding(ids, weight), one_hot @ other
    cotangent = rng.standard_normal((2, 3, 4))
    y.backward(cotangent)
    want.backward(cotangent)
    assert_equal(y.data, want.data)
    assert weight.grad is not None
    assert_near(weight.grad, other.grad, np.float64)
    assert_equal(weight.grad[[2, 4]], np.zeros((2, 4)))


def test_an_entry_taken_twice_gets_both_gradients() -> None:
    x = leaf([[1, 2, 3], [4, 5, 6]])
    x[[0, 0, -2], 1].backward([2, 3, 5])
    assert_equal(x.grad, [[0, 10, 0], [0, 0, 0]])
    x.zero_grad()
    x[np.array([[True, False, True], [False, False, True]])].backward([2, 3, 5])
    assert_equal(x.grad, [[2, 0, 3], [0, 0, 5]])
    x.zero_grad()
    x[np.array([True, True]), [2, 2]].backward([2, 3])
    assert_equal(x.grad, [[0, 0, 2], [0, 0, 3]])
    x.zero_grad()
    x[np.array([1, 1]), ::-1].backward([[1, 2, 3], [10, 20, 30]])
    assert_equal(x.grad, [[0, 0, 0], [33, 22, 11]])


def test_an_index_is_copied() -> None:
    x, index, mask = leaf([1, 2, 3]), np.array([0, 2]), np.array([True, False, True])
    y, z = x[index], x[mask]
    index[:], mask[:] = 1, [False, True, True]
    start, stop = np.array(0), np.array(1)
    part = x[start:stop]
    start[...], stop[...] = 1, 2
    part.backward([100])
    y.backward([2, 3])
    z.backward([5, 7])
    assert_equal(x.grad, [107, 0, 10])


# -- a state in place of the past ------------------------------------------------------------------


def test_decayed_attention_goes_on_from_its_state(rng: np.random.Generator) -> None:
    """In parts as a whole, with the same last state; and a later part changes no gradient."""
    q, k, v = rng.standard_normal((3, 2, 3, 20, 4))
    g = -np.abs(rng.standard_normal(q.shape))
    state, others = np.zeros((2, 3, 4, 4)), np.zeros((2, 3, 4, 4))
    whole = mg.decayed_attention(q, k, v, g, state=state)
    parts = [np.split(a, [1, 17], axis=2) for a in (q, k, v, g)]
    outs = [mg.decayed_attention(*part, state=others) for part in zip(*parts, strict=True)]
    np.testing.assert_allclose(np.concatenate([y.data for y in outs], 2), whole.data, rtol=1e-12)
    np.testing.assert_allclose(others, state, rtol=1e-12)
    once = leaf(q)
    y = mg.decayed_attention(once, k, v, g, state=others)
    mg.decayed_attention(once.detach(), k, v, g, state=others)
    y.backward(v)
    again = leaf(q)
    mg.decayed_attention(again, k, v, g, state=state).backward(v)
    np.testing.assert_allclose(np.asarray(once.grad), np.asarray(again.grad), rtol=1e-12)


# -- dropout ---------------------------------------------------------------------------------------


@both_dtypes
def test_dropout_drops_a_part_and_scales_the_rest(dtype: Any) -> None:
    x, n = leaf(np.ones(100_000), dtype), 100_000
    y = mg.dropout(x, 0.3, rng=np.random.default_rng(1))
    cotangent = np.random.default_rng(2).standard_normal(n).astype(dtype)
    y.backward(cotangent)
    kept = y.data != 0
    assert_near(y.data[kept], np.full(kept.sum(), 1 / 0.7), dtype)
    # Five standard deviations of a binomial mean.
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / n)
    # Neighbours are independent: they are both kept 0.49 of the time.
    assert abs((kept[1:] & kept[:-1]).mean() - 0.49) < 10 * np.sqrt(0.49 * 0.51 / n)
    assert_near(x.grad, cotangent * y.data, dtype)


def test_dropout_draws_from_the_generator() -> None:
    def drop(seed: int, dtype: Any = np.float64) -> Any:
        return mg.dropout(leaf(np.ones((50, 3)), dtype), 0.5, rng=np.random.default_rng(seed)).data

    assert_equal(drop(0), drop(0))
    assert_equal(drop(0), drop(0, np.float32))
    assert np.any(drop(0) != drop(1))
    rng = np.random.default_rng(0)
    twice = [mg.dropout(np.ones((50, 3)), 0.5, rng=rng).data for _ in range(2)]
    assert np.any(twice[0] != twice[1])


@pytest.mark.parametrize("settings", [{"p": 0}, {"training": False}])
def test_no_dropout(settings: dict[str, Any]) -> None:
    rng, x = np.random.default_rng(0), leaf([1, 2, 3])
    y = mg.dropout(x, rng=rng, **settings)
    y.backward([2, 3, 5])
    assert_equal(y.data, [1, 2, 3])
    assert_equal(x.grad, [2, 3, 5])
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_dropping_all() -> None:
    x = leaf([1, 2, 3])
    y = mg.dropout(x, 1, rng=np.random.default_rng(0))
    y.backward([2, 3, 5])
    assert_equal(y.data, [0, 0, 0])
    assert_equal(x.grad, [0, 0, 0])
