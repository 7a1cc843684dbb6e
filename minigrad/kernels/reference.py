"""The kernels in NumPy: one formula after the other, to be read, and to test the compiled twins by.

`x_vjp` takes what its forward `x` kept and the gradient of x's result, and gives the gradients of
x's inputs. Nothing here writes to its arguments, but `adamw` to m and v.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# -- products --------------------------------------------------------------------------------------


def matmul(a: Array, b: Array) -> Array:
    """y = a @ b.    a: (..., M, K), b: (..., K, N) -> y: (..., M, N)"""
    return np.matmul(a, b)


def linear(x: Array, weight: Array, bias: Array) -> Array:
    """y = x weight^T + bias.    x: (N, I), weight: (O, I), bias: (O) -> y: (N, O)"""
    return x @ weight.T + bias


def linear_vjp(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """dx = dy weight, dweight = dy^T x, dbias = sum(dy)"""
    return dy @ weight, dy.T @ x, dy.sum(axis=0)


# -- the normal distribution, erf and GELU ---------------------------------------------------------

# P(Z > z) = e^(-z^2/2) (c1 t + ... + c9 t^9), t = 1 / (1 + slope z), z >= 0, relative error
# 3.2e-8: about half a unit in float32's last place. Made by benchmarks/fit_gelu.py.
TAIL_SLOPE = 0.35
TAIL_COEFFICIENTS = (
    0.1396214417,
    0.1398612361,
    0.1198373387,
    0.1054907802,
    -0.02307007658,
    0.1591176397,
    -0.2556657618,
    0.1439486664,
    -0.02914128047,
)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
TANH_CUBIC = 0.044715


def _each(function: Callable[[float], float], x: Array) -> Array:
    """Of every entry; takes two thirds of np.vectorize's time."""
    return np.fromiter(map(function, x.ravel()), np.float64, x.size).reshape(x.shape)


def erf(x: Array) -> Array:
    """y = 2/sqrt(pi) * integral of e^(-t^2) for t in 0..x, entry by entry with the C library's."""
    return _each(math.erf, x).astype(x.dtype)


def _normal_cdf(x: Array) -> Array:
    """P(Z <= x) for a standard normal Z, with its full relative precision in both tails."""
    if x.dtype == np.float64:
        return 0.5 * _each(math.erfc, x * -math.sqrt(0.5))
    with np.errstate(over="ignore", under="ignore"):
        z = np.abs(x)
        t = 1 / (1 + np.float32(TAIL_SLOPE) * z)
        series = np.zeros_like(t)
        for c in reversed(TAIL_COEFFICIENTS):
            series = (series + np.float32(c)) * t
        tail = series * np.exp(np.float32(-0.5) * z * z)
    return np.where(x > 0, 1 - tail, tail)


def gelu(x: Array, approximate: str) -> Array:
    """y = x P(Z <= x), exactly ('none') or with a tanh for the P ('tanh')."""
    if approximate == "none":
        return x * _normal_cdf(x)
    return 0.5 * x * (1 + _tanh_argument(x))


def gelu_vjp(x: Array, dy: Array, approximate: str) -> Array:
    """dx = dy (P(Z <= x) + x p(x)), p the normal density; of the tanh form, if asked for."""
    with np.errstate(over="ignore", under="ignore"):
        if approximate == "none":
            density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
            return dy * (_normal_cdf(x) + x * density)
        t = _tanh_argument(x)
        near = np.clip(x, -20, 20)  # farther out 1 - t^2 is 0, but its factor would overflow
        slope = SQRT_2_OVER_PI * (1 + 3 * TANH_CUBIC * near * near)
        return dy * (0.5 * (1 + t) + 0.5 * near * (1 - t * t) * slope)


def _tanh_argument(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.tanh(SQRT_2_OVER_PI * (x + TANH_CUBIC * x * x * x))


# -- softmax and its logarithm ---------------------------------------------------------------------


def softmax(x: Array, axis: int) -> Array:
    """p = e^x / sum(e^x) along `axis`; a row of only -inf gives zeros."""
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(largest == -np.inf, 0, largest))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


def softmax_vjp(p: Array, dp: Array, axis: int) -> Array:
    """dx = p (dp - sum(dp p)): raising one x raises its p and lowers all the others."""
    return p * (dp - np.sum(dp * p, axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int) -> Array:
    """y = x - ln sum(e^x) along `axis`; a row of only -inf stays so."""
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shifted = x - np.where(largest == -np.inf, 0, largest)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    return shifted - np.log(np.where(total == 0, 1, total))


def log_softmax_vjp(y: Array, dy: Array, axis: int) -> Array:
    """dx = dy - e^y sum(dy)."""
    return dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True)


def cross_entropy(logits: Array, target: Array) -> tuple[Array, Array, Array]:
    """loss = ln sum(e^logits) - logits[target], and what backward needs of the sum.

    logits: (N, C), target: (N), negative where the row does not count -> loss, largest, total:
    (N), (N), (N), total = sum(e^(logits - largest)). Its logarithm is not added to `largest`,
    which may be so much larger that the digits would be lost.
    """
    largest = logits.max(axis=1)
    largest = np.where(np.isfinite(largest), largest, 0)
    total = np.exp(logits - largest[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):
        log_total = np.log(total)
    loss = log_total - (logits[np.arange(len(target)), np.maximum(target, 0)] - largest)
    return np.where(target < 0, 0, loss), largest, total


def cross_entropy_vjp(
    logits: Array, largest: Array, total: Array, target: Array, dloss: Array
) -> Array:
    """dlogits = dloss (p - 1 at the target, else p), 0 where the row does not count.

    p = e^(logits - largest) / total
    """
    dlogits = np.exp(logits - largest[:, None]) / total[:, None]
    dlogits[np.arange(len(target)), np.maximum(target, 0)] -= 1
    return np.where(target[:, None] < 0, 0, dlogits * dloss[:, None])


# -- layer norm ------------------------------------------------------------------------------------


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """y = weight xhat + bias, xhat = (x - mean) rstd, rstd = 1 / sqrt(var + eps), for each row.

    x: (N, D), weight, bias: (D) -> y: (N, D), mean, rstd: (N), (N)
    The mean is counted from the first entry, so that no entry of a constant row deviates from it;
    the deviations are squared at a scale at which none overflows.
    """
    mean = x[:, 0] + (x - x[:, :1]).mean(axis=1)
    deviation = x - mean[:, None]
    scale = np.maximum(1, np.abs(deviation).max(axis=1))
    scaled = deviation / scale[:, None]
    var = (scaled * scaled).mean(axis=1)
    rstd = 1 / (scale * np.sqrt(var + x.dtype.type(eps) / scale / scale))
    return deviation * rstd[:, None] * weight + bias, mean, rstd


def layer_norm_vjp(
    dy: Array, x: Array, weight: Array, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy weight.

    dweight = sum(dy xhat), dbias = sum(dy). The two means take
    out of g what would shift or stretch the whole row: the norm undoes both.
    """
    xhat = (x - mean[:, None]) * rstd[:, None]
    g = dy * weight
    dx = g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)
    return dx * rstd[:, None], (dy * xhat).sum(axis=0), dy.sum(axis=0)


# -- embedding -------------------------------------------------------------------------------------


def embedding(ids: Array, weight: Array) -> Array:
    """y[n] = weight[ids[n]].    ids: (N), weight: (V, D) -> y: (N, D)"""
    return weight[ids]


def embedding_vjp(ids: Array, dy: Array, rows: int) -> Array:
    """dweight[v] = the sum of dy[n] over all n with ids[n] = v.    -> (rows, D)"""
    dweight = np.zeros((rows, dy.shape[1]), dy.dtype)
    np.add.at(dweight, ids, dy)
    return dweight


# -- causal attention ------------------------------------------------------------------------------


def causal_attention(q: Array, k: Array, v: Array) -> tuple[Array, Array]:
    """out = softmax(q k^T / sqrt(d), each query seeing only keys not later than itself) v.

    q: (B, H, T, d), k, v: (B, H, S, d), S >= T: the queries are the last T of S positions
        -> out: (B, H, T, d), lse: (B, H, T), the logarithm of each softmax's denominator
    """
    scores = _causal_scores(q, k)
    largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - largest)
    total = e.sum(axis=-1, keepdims=True)
    return (e / total) @ v, (largest + np.log(total))[..., 0]


def causal_attention_vjp(
    dout: Array, q: Array, k: Array, v: Array, out: Array, lse: Array
) -> tuple[Array, Array, Array]:
    """dv = p^T dout, ds = p (dp - sum(dp p)), dp = dout v^T.

    dq = ds k / sqrt(d), dk = ds^T q / sqrt(d). p is computed again from lse,
    and sum(dp p) is sum(dout out): nothing of size T x S was kept.
    """
    scale = 1 / math.sqrt(q.shape[-1])
    p = np.exp(_causal_scores(q, k) - lse[..., None])
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (dout * out).sum(axis=-1, keepdims=True)) * scale
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dout


def _causal_scores(q: Array, k: Array) -> Array:
    scores = q @ k.swapaxes(-1, -2) * (1 / math.sqrt(q.shape[-1]))
    queries, keys = scores.shape[-2:]
    later = np.arange(keys) > np.arange(queries)[:, None] + keys - queries
    scores[..., later] = -np.inf
    return scores


# -- the transformer's MLP -------------------------------------------------------------------------

# The hidden layer is computed in pieces of about this many bytes, so that it stays in cache.
_PIECE = 1 << 20


def mlp(x: Array, w1: Array, b1: Array, w2: Array, b2: Array) -> Array:
    """y = gelu(x w1^T + b1) w2^T + b2, never holding the whole hidden layer.

    x: (N, D), w1: (H, D), b1: (H), w2: (E, H), b2: (E) -> y: (N, E)
    """
    y = np.empty((len(x), len(w2)), x.dtype)
    for rows in _pieces(x, len(w1)):
        y[rows] = gelu(x[rows] @ w1.T + b1, "none") @ w2.T + b2
    return y


def mlp_vjp(
    dy: Array, x: Array, w1: Array, b1: Array, w2: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """The hidden layer a = x w1^T + b1, h = gelu(a) is computed again, piece by piece.

    dh = dy w2, da = dh gelu'(a), dx = da w1, dw1 = da^T x, db1 = sum(da), dw2 = dy^T h,
    db2 = sum(dy)
    """
    dx, dw1, db1, dw2 = np.empty_like(x), np.zeros_like(w1), np.zeros_like(b1), np.zeros_like(w2)
    for rows in _pieces(x, len(w1)):
        a = x[rows] @ w1.T + b1
        da = gelu_vjp(a, dy[rows] @ w2, "none")
        dx[rows] = da @ w1
        dw1 += da.T @ x[rows]
        db1 += da.sum(axis=0)
        dw2 += dy[rows].T @ gelu(a, "none")
    return dx, dw1, db1, dw2, dy.sum(axis=0)


def _pieces(x: Array, hidden: int) -> list[slice]:
    step = max(16, _PIECE // max(1, hidden * x.itemsize))
    return [slice(start, start + step) for start in range(0, len(x), step)]


# -- one position of a transformer -----------------------------------------------------------------


def decode(
    x: Array, blocks: tuple[Array, ...], keys: Array, values: Array, position: int, eps: float
) -> Array:
    """x = LayerNorm(x + Attention(x)), x = LayerNorm(x + MLP(x)), for one position, block by block.

    x: (B, D) -> (B, D). keys, values: (L, B, H, d, T), in which this position's are stored and
    those before it found. blocks, each with an axis for the L blocks in front:
        in_w (D, 3D), in_b (3D), out_w (D, D), out_b (D), norm1_w (D), norm1_b (D),
        w1 (D, N), b1 (N), w2 (N, D), b2 (D), norm2_w (D), norm2_b (D)
    """
    batch, heads, size, _ = keys.shape[1:]
    for *block, k, v in zip(*blocks, keys, values, strict=True):
        in_w, in_b, out_w, out_b, norm1_w, norm1_b, w1, b1, w2, b2, norm2_w, norm2_b = block
        qkv = (x @ in_w + in_b).reshape(batch, 3, heads, 1, size)
        k[..., position], v[..., position] = qkv[:, 1, :, 0], qkv[:, 2, :, 0]
        seen_k, seen_v = (cache[..., : position + 1].swapaxes(2, 3) for cache in (k, v))
        attended, _ = causal_attention(qkv[:, 0], seen_k, seen_v)
        x = layer_norm(x + attended.reshape(x.shape) @ out_w + out_b, norm1_w, norm1_b, eps)[0]
        x = layer_norm(x + mlp(x, w1.T, b1, w2.T, b2), norm2_w, norm2_b, eps)[0]
    return x


# -- the optimizer ---------------------------------------------------------------------------------


def adamw(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> Array:
    """One AdamW step: the new param. m, v follow the mean and the mean square of grad, in place.

    m = b1 m + (1 - b1) grad,    v = b2 v + (1 - b2) grad^2
    param = (1 - lr weight_decay) param - lr mhat / (sqrt(vhat) + eps)
    with mhat = m / (1 - b1^step), vhat = v / (1 - b2^step), because both start from 0.
    Where (1 - b2) grad^2 overflows, v stays infinite, and that entry of param still.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2.
    """
    b1, b2 = betas
    m *= b1
    m += (1 - b1) * grad
    v *= b2
    v += (1 - b2) * grad * grad
    step_size = lr / (1 - b1**step)
    root = np.sqrt(v) / math.sqrt(1 - b2**step)  # vhat itself might overflow
    return (1 - lr * weight_decay) * param - step_size * m / (root + eps)


def newton_schulz(x: Array, coefficients: tuple[float, float, float], steps: int) -> Array:
    """X <- a X + (b X X^T + c (X X^T)^2) X, so many times.    x: (N, M, K) -> (N, M, K)

    X = U S V^T keeps U and V; every singular value s becomes a s + b s^3 + c s^5.
    """
    a, b, c = (x.dtype.type(number) for number in coefficients)
    for _ in range(steps):
        square = x @ x.swapaxes(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x
