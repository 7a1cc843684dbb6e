"""Attention: each position takes a mean over others, weighted by how well they match it."""

from __future__ import annotations

import numpy as np

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import state_before


@differentiable
def causal_attention(q, k, v, /):
    """out = softmax(q k^T / sqrt(d), masked) v: each query sees the keys up to its own position.

    q: (B, H, T, d), k, v: (B, H, S, d), S >= T -> out: (B, H, T, d)

    dq = ds k / sqrt(d), dk = ds^T q / sqrt(d), dv = p^T dout, with p the softmax and
    ds = p (dp - sum(dp p)), dp = dout v^T.

    Keeps q, k, v, out and one number per query, nothing of size T x S.

    Query t stands at position S - T + t: with S > T, the first S - T keys are cached ones.

    Source: Vaswani et al., Attention Is All You Need, 2017, equation 1, arXiv:1706.03762; for the
    backward Dao et al., FlashAttention, 2022, algorithm 4, arXiv:2205.14135.
    """
    _check("causal_attention", q, k, v, causal=True)
    out, lse = kernels.attention(q, k, v, None, True)

    def vjp(dout):
        return kernels.attention_vjp(dout, q, k, v, out, lse, None, True)

    return out, vjp


@differentiable
def attention(q, k, v, /, *, causal=False, lengths=None):
    """out = softmax(q k^T / sqrt(d), masked) v: each query sees all keys, or those that it may see.

    q: (B, H, T, d), k, v: (B, H, S, d) -> out: (B, H, T, d)

    dq = ds k / sqrt(d), dk = ds^T q / sqrt(d), dv = p^T dout, with p the softmax and
    ds = p (dp - sum(dp p)), dp = dout v^T.

    Keeps q, k, v, out and one number per query, nothing of size T x S.

    q may be of another sequence than k and v, as in cross-attention.

    causal: query t sees only keys up to position S - T + t, as in `causal_attention`; S >= T then.
    lengths: (B) integers in 1..S, how many keys of each sequence can be seen; those behind them
        are padding, are never read and get no gradient. None: all.

    Query t therefore sees the keys s with s < lengths[b] and, if causal, s <= S - T + t: at least
    the first.

    Raises TypeError for lengths that are no integers, ValueError for one outside 1..S.

    Source: as of `causal_attention`.
    """
    causal = bool(causal)
    _check("attention", q, k, v, causal)
    if lengths is not None:
        lengths = _checked("attention", np.asarray(lengths), len(q), k.shape[2])
    out, lse = kernels.attention(q, k, v, lengths, causal)

    def vjp(dout):
        return kernels.attention_vjp(dout, q, k, v, out, lse, lengths, causal)

    return out, vjp


def _check(name, q, k, v, causal):
    if not (
        q.ndim == k.ndim == 4
        and k.shape == v.shape
        and q.shape[:2] + q.shape[3:] == k.shape[:2] + k.shape[3:]
        and q.shape[3] > 0
    ):
        raise ValueError(
            f"{name} of q {q.shape}, k {k.shape}, v {v.shape}: "
            "wanted (B, H, T, d), (B, H, S, d), (B, H, S, d), d at least 1"
        )
    queries, keys = q.shape[2], k.shape[2]
    if queries > keys and (causal or keys == 0):
        raise ValueError(f"{name} has {queries} queries for {keys} keys")


def _checked(name, lengths, batch, keys):
    """A copy of the lengths, which the kernels trust to be in 1..S."""
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{name} has lengths of {lengths.dtype}, wanted integers")
    if lengths.shape != (batch,):
        raise ValueError(f"{name} has lengths {lengths.shape}, wanted {(batch,)}")
    outside = (lengths < 1) | (lengths > keys)
    if outside.any():
        place = int(outside.argmax())
        raise ValueError(f"length {lengths[place]} at [{place}] is outside 1..{keys}")
    return lengths.astype(np.int64)


@differentiable
def decayed_attention(q, k, v, g, u=None, /, *, state=None):
    """out_t = S_t^T q_t with S_t = e^g_t * S_{t-1} + k_t v_t^T, each row of S with its own decay.

    q, k: (B, H, T, d), v: (B, H, T, e), g: broadcasts to q, u: (H, d) -> out: (B, H, T, e)

    dq = S dout, dk = R v, dv = R^T k, dg_t = e^g_t * (sums of R_t * S_{t-1} along its rows), with
    R_t = q_t dout_t^T + e^g_{t+1} * R_{t+1}, the gradient of S_t.

    Keeps q, k, v, u and the decays, nothing of size T x d x e.

    With u each position reads the state before it, and itself with a weight of its own, as in RWKV:
    out_t = (S_{t-1} + (u * k_t) v_t^T)^T q_t. Then R_t = q_{t+1} dout_{t+1}^T + e^g_{t+1} * R_{t+1}
    and dq_t = S_{t-1} dout_t; besides, with the weight p = q . (u * k) and dp = dout . v,
    dv += p dout, dq += dp u * k, dk += dp u * q, du = the sum of dp q * k.

    Backward holds one S every 16 positions and computes those in between again. It multiplies by
    decays and never divides by them, so that none is too strong.

    The same as a sum over s <= t of weights times v_s, as in attention, but without a softmax:
    the weight is the sum of q_t * e^(g_{s+1} + ... + g_t) * k_s, with g <= 0. With g = 0 this is
    linear attention; with a constant for each head, of shape (H, 1, 1), it is retention.

    state: the S before the first position, an array (B, H, d, e); 0 where it is not given. It has
        no gradient. The S after the last position is written into it, so that a sequence can be
        given in parts.

    Source: Yang et al., Gated Linear Attention Transformers, 2023, section 4.1, arXiv:2312.06635;
    for u Peng et al., Eagle and Finch, 2024, section 4, arXiv:2404.05892.
    """
    if not (
        q.ndim == 4
        and k.shape == q.shape
        and v.shape[:-1] == q.shape[:-1]
        and g.ndim <= 4
        and all(n in (1, m) for n, m in zip(g.shape[::-1], q.shape[::-1], strict=False))
        and (u is None or u.shape == q.shape[1::2])
    ):
        got, wanted = ("", "") if u is None else (f", u {u.shape}", ", (H, d)")
        raise ValueError(
            f"decayed_attention of q {q.shape}, k {k.shape}, v {v.shape}, g {g.shape}{got}: "
            f"wanted (B, H, T, d), (B, H, T, d), (B, H, T, e), and what broadcasts to q{wanted}"
        )
    shape = (*q.shape[:2], q.shape[3], v.shape[3])
    first = state_before("decayed_attention", state, shape, q.dtype)
    w = np.broadcast_to(np.exp(g), q.shape)
    out, last = kernels.decayed_attention(q, k, v, w, u, first)
    if state is not None:
        state[...] = last

    def vjp(dout):
        dq, dk, dv, dw, du = kernels.decayed_attention_vjp(dout, q, k, v, w, u, first)
        return dq, dk, dv, lambda: w * dw, du

    return out, vjp


@differentiable(constants=("angles",))
def rotary(x, angles, /):
    """Each pair of neighbouring entries, as a point in the plane, is turned by an angle.

    x: (..., d) with d even, angles: broadcasts to (..., d/2) -> y of x's shape, with
    y[2i] = cos(a_i) x[2i] - sin(a_i) x[2i+1] and y[2i+1] = sin(a_i) x[2i] + cos(a_i) x[2i+1]

    dx = dy turned back, by -a_i.    Keeps cos and sin of the angles.

    With angles that grow with the position, q . k of two turned vectors depends on the distance
    between their positions alone.

    Source: Su et al., RoFormer, 2021, equation 34, arXiv:2104.09864.
    """
    if x.ndim < 1 or x.shape[-1] % 2:
        raise ValueError(f"rotary of x {x.shape}: wanted a last axis of even length")
    pairs = (*x.shape[:-1], x.shape[-1] // 2)
    if angles.dtype.kind not in "fiu":
        raise TypeError(f"rotary has angles of {angles.dtype}, wanted numbers")
    sides = zip(angles.shape[::-1], pairs[::-1], strict=False)
    if angles.ndim > len(pairs) or not all(n in (1, m) for n, m in sides):
        raise ValueError(
            f"rotary of x {x.shape} by angles {angles.shape}: wanted what broadcasts to {pairs}"
        )
    points = np.result_type(x.dtype, np.complex64)
    turn = np.exp(1j * angles).astype(points)  # (a + ib) e^(i angle) is the point turned

    def turned(x, turn):
        return (np.ascontiguousarray(x).view(points) * turn).view(x.dtype)

    def vjp(dy):
        return turned(dy, turn.conj()), None

    return turned(x, turn), vjp
