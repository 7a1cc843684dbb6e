"""Operations of neural networks. The work is done by `minigrad.kernels`; here it is checked, shaped
and tied to its gradient.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minigrad import kernels
from minigrad.differentiable import differentiable


@differentiable
def softmax(x, /, axis=-1):
    """p = e^x / sum(e^x) along `axis`.    x: (..., C) -> p: (..., C)

    dx = p (dp - sum(dp p)).    Keeps p.

    A row of only -inf, all masked, gives zeros.
    """
    axis = normalize_axis_index(axis, x.ndim)
    p = kernels.softmax(x, axis)

    def vjp(dp):
        return (kernels.softmax_vjp(p, dp, axis),)

    return p, vjp


@differentiable
def log_softmax(x, /, axis=-1):
    """y = x - ln sum(e^x) along `axis`.    dx = dy - e^y sum(dy).    Keeps y.

    A row of only -inf stays as it is.
    """
    axis = normalize_axis_index(axis, x.ndim)
    y = kernels.log_softmax(x, axis)

    def vjp(dy):
        return (kernels.log_softmax_vjp(y, dy, axis),)

    return y, vjp


@differentiable
def layer_norm(x, weight, bias, /, eps=1e-5):
    """y = weight (x - mean) rstd + bias, rstd = 1 / sqrt(var + eps), over the last axis.

    x: (..., D), weight, bias: (D) -> y: (..., D)

    dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy weight, xhat = (x - mean) rstd;
    dweight = sum(dy xhat), dbias = sum(dy).    Keeps x, weight, mean and rstd.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016, equation 3.
    """
    width = x.shape[-1:]
    if not width or width == (0,) or weight.shape != width or bias.shape != width:
        raise ValueError(
            f"layer_norm of x {x.shape}, weight {weight.shape}, bias {bias.shape}: "
            "wanted (..., D), (D), (D), D at least 1"
        )
    rows = _rows(x)
    y, mean, rstd = kernels.layer_norm(rows, weight, bias, eps)

    def vjp(dy):
        dx, dw, db = kernels.layer_norm_vjp(dy.reshape(rows.shape), rows, weight, mean, rstd)
        return dx.reshape(x.shape), dw, db

    return y.reshape(x.shape), vjp


@differentiable(constants=["ids"])
def embedding(ids, weight, /):
    """y[...] = weight[ids[...]].    ids: (...) integers, weight: (V, D) -> y: (..., D)

    dweight[v] = the sum of dy wherever ids = v.    Keeps ids.

    Raises TypeError for ids that are no integers, IndexError for one outside 0..V-1.
    """
    if weight.ndim != 2:
        raise ValueError(f"embedding weight has shape {weight.shape}, wanted (V, D)")
    _check_ids("id", ids, len(weight))
    flat = ids.reshape(-1).astype(np.intp)
    shape, rows = (*ids.shape, weight.shape[1]), len(weight)

    def vjp(dy):
        return None, kernels.embedding_vjp(flat, _rows(dy), rows)

    return kernels.embedding(flat, weight).reshape(shape), vjp


@differentiable
def dropout(x, /, p=0.5, *, rng, training=True):
    """y = x m / (1 - p), each m 0 with probability p, else 1.    dx = dy m / (1 - p).    Keeps m.

    rng: the numpy.random.Generator the m are drawn from. training: False gives y = x.

    Source: Srivastava et al., Dropout, JMLR 15, 2014; scaled in training rather than after it.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability is {p}, wanted 0 <= p <= 1")
    if not training or p == 0:
        return x, lambda dy: (dy,)
    kept = rng.random(x.shape, dtype=np.float32) >= np.float32(p)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)

    def vjp(dy):
        return (dy * scale * kept,)

    return x * scale * kept, vjp


@differentiable(constants=["target"])
def nll_loss(log_probs, target, /, *, reduction="mean", ignore_index=-100):
    """loss = -log_probs[..., target].

    dlog_probs = -dloss at the target, else 0.    Keeps the targets.

    The settings and errors are those of `cross_entropy`.
    """
    rows, flat = _rows_and_targets(log_probs, target, ignore_index)
    counted = flat >= 0
    picked = np.arange(len(flat)), np.maximum(flat, 0)
    losses = np.where(counted, -rows[picked], 0)
    shape, rows_shape = log_probs.shape, rows.shape  # alone: the arrays need not be kept

    def into_rows(dlosses):
        d = np.zeros(rows_shape, dlosses.dtype)
        d[picked] = np.where(counted, -dlosses, 0)
        return d.reshape(shape)

    return _reduce(losses, flat, target.shape, reduction, into_rows)


@differentiable(constants=["target"])
def cross_entropy(logits, target, /, *, reduction="mean", ignore_index=-100):
    """loss = ln sum(e^logits) - logits[..., target], in nats.

    logits: (..., C), target: (...) integers in 0..C-1 -> (...) for 'none', else ()

    dlogits = dloss (softmax(logits) - onehot(target)).

    Keeps logits, each row's largest and sum, and the targets.

    reduction: 'none', 'sum', or 'mean' over the targets that count (nan where none does).
    ignore_index: a target of this value does not count.
    A target whose logit is -inf has a loss of inf; where all of the row's are, it is nan.

    Raises TypeError for targets that are no integers, IndexError for one outside 0..C-1.
    """
    rows, flat = _rows_and_targets(logits, target, ignore_index)
    losses, *sums = kernels.cross_entropy(rows, flat)

    def into_rows(dlosses):
        return kernels.cross_entropy_vjp(rows, *sums, flat, dlosses).reshape(logits.shape)

    return _reduce(losses, flat, target.shape, reduction, into_rows)


@differentiable
def causal_attention(q, k, v, /):
    """out = softmax(q k^T / sqrt(d), masked) v: each query sees the keys up to its own position.

    q: (B, H, T, d), k, v: (B, H, S, d), S >= T -> out: (B, H, T, d)

    dq = ds k / sqrt(d), dk = ds^T q / sqrt(d), dv = p^T dout, with p the softmax and
    ds = p (dp - sum(dp p)), dp = dout v^T.

    Keeps q, k, v, out and one number per query, nothing of size T x S.

    Query t stands at position S - T + t: with S > T the keys begin with positions cached from
    earlier.

    Source: Vaswani et al., Attention Is All You Need, 2017, equation 1; Dao et al., FlashAttention,
    2022, algorithm 4 (the backward).
    """
    if not (
        q.ndim == k.ndim == 4
        and k.shape == v.shape
        and q.shape[:2] + q.shape[3:] == k.shape[:2] + k.shape[3:]
        and q.shape[3] > 0
    ):
        raise ValueError(
            f"causal_attention of q {q.shape}, k {k.shape}, v {v.shape}: "
            "wanted (B, H, T, d), (B, H, S, d), (B, H, S, d), d at least 1"
        )
    if q.shape[2] > k.shape[2]:
        raise ValueError(f"causal_attention has {q.shape[2]} queries for {k.shape[2]} keys")
    out, lse = kernels.causal_attention(q, k, v)

    def vjp(dout):
        return kernels.causal_attention_vjp(dout, q, k, v, out, lse)

    return out, vjp


@differentiable
def linear(x, weight, bias, /):
    """y = x @ weight^T + bias.    x: (..., I), weight: (O, I), bias: (O) -> y: (..., O)

    dx = dy @ weight, dweight = dy^T @ x, dbias = sum of dy over all but the last axis.

    Keeps x and weight.    The same as `x @ weight.T + bias`, in fewer passes.
    """
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or x.shape[-1:] != weight.shape[1:]:
        raise ValueError(
            f"linear of x {x.shape}, weight {weight.shape}, bias {bias.shape}: "
            "wanted (..., I), (O, I), (O)"
        )
    rows = _rows(x)

    def vjp(dy):
        dx, *others = kernels.linear_vjp(_rows(dy), rows, weight)
        return dx.reshape(x.shape), *others

    return kernels.linear(rows, weight, bias).reshape(*x.shape[:-1], len(weight)), vjp


@differentiable
def mlp(x, w1, b1, w2, b2, /):
    """y = gelu(x w1^T + b1) w2^T + b2, the transformer's two layers in one.

    x: (..., D), w1: (H, D), b1: (H), w2: (E, H), b2: (E) -> y: (..., E)

    dx = dh w1, dw1 = dh^T x, db1 = sum(dh), dw2 = dy^T gelu(h), db2 = sum(dy), with
    h = x w1^T + b1, dh = (dy w2) gelu'(h).    Keeps x, w1, b1 and w2.

    The hidden layer, by far the largest array of a transformer, is never held whole: forward and
    backward walk over it in pieces, and backward computes each piece again.
    """
    if not (
        w1.ndim == w2.ndim == 2
        and x.shape[-1:] == w1.shape[1:]
        and w2.shape[1:] == b1.shape == w1.shape[:1]
        and b2.shape == w2.shape[:1]
    ):
        raise ValueError(
            f"mlp of x {x.shape}, w1 {w1.shape}, b1 {b1.shape}, w2 {w2.shape}, b2 {b2.shape}: "
            "wanted (..., D), (H, D), (H), (E, H), (E)"
        )
    rows = _rows(x)

    def vjp(dy):
        dx, *others = kernels.mlp_vjp(_rows(dy), rows, w1, b1, w2)
        return dx.reshape(x.shape), *others

    return kernels.mlp(rows, w1, b1, w2, b2).reshape(*x.shape[:-1], len(w2)), vjp


# -- what the losses share -------------------------------------------------------------------------


def _rows_and_targets(scores, target, ignore_index):
    """Scores as (N, C) and targets as (N), with -1 for those that do not count."""
    if scores.ndim == 0 or scores.shape[-1] == 0 or scores.shape[:-1] != target.shape:
        raise ValueError(
            f"scores {scores.shape}, targets {target.shape}: wanted (..., C), (...), C at least 1"
        )
    classes = scores.shape[-1]
    ignored = target == ignore_index
    _check_ids("target", target, classes, ignored)
    flat = np.where(ignored, -1, target.astype(np.intp)).reshape(-1)
    return _rows(scores), flat


def _reduce(losses, flat, shape, reduction, into_rows):
    """Losses (N) reduced as asked, and the vjp that takes d(reduced) back to the scores."""
    if reduction == "none":
        return losses.reshape(shape), lambda d: (into_rows(d.reshape(-1)), None)
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction is {reduction!r}, wanted 'none', 'sum' or 'mean'")
    with np.errstate(divide="ignore"):
        scale = 1 / losses.dtype.type((flat >= 0).sum()) if reduction == "mean" else 1
    with np.errstate(invalid="ignore"):
        total = losses.sum() * scale
    return total, lambda d: (into_rows(np.full(losses.shape, d * scale, losses.dtype)), None)


def _check_ids(name, ids, count, ignored=False):
    """Before a kernel reads where an id says: is it an integer in 0..count-1, or ignored?"""
    if ids.dtype.kind not in "iu":
        raise TypeError(f"{name}s are integers, got {ids.dtype}")
    outside = ((ids < 0) | (ids >= count)) & ~np.asarray(ignored)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise IndexError(f"{name} {ids[place]} at {list(place)} is outside 0..{count - 1}")


def _rows(x):
    """(..., C) as (N, C); reshape's own -1 cannot tell N where C is 0."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
