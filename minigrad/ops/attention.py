"""Attention: each position takes a mean over others, weighted by how well they match it."""

from __future__ import annotations

from minigrad import kernels
from minigrad.differentiable import differentiable


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
