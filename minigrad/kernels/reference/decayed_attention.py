"""Decayed attention: a state that forgets, step by step as the recurrence reads."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array

CHUNK = 16  # positions between two states that backward holds


def decayed_attention(
    q: Array, k: Array, v: Array, w: Array, u: Array | None, state: Array
) -> tuple[Array, Array]:
    """S_t = w_t * S_{t-1} + k_t v_t^T, out_t = S_t^T q_t, w_t scaling the rows of S.

    With u: out_t = (S_{t-1} + (u * k_t) v_t^T)^T q_t.

    q, k, w: (B, H, T, d), v: (B, H, T, e), u: (H, d) or None, state: (B, H, d, e), the S before the
    first position -> out: (B, H, T, e), and the S after the last position
    """
    out = np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    state = state.copy()
    for t in range(q.shape[2]):
        before, state = state, _next(state, k, v, w, t)
        read = state if u is None else before
        out[:, :, t] = _product(read.swapaxes(2, 3), q[:, :, t])
        if u is not None:
            out[:, :, t] += (q[:, :, t] * u * k[:, :, t]).sum(axis=2, keepdims=True) * v[:, :, t]
    return out, state


def decayed_attention_vjp(
    dout: Array, q: Array, k: Array, v: Array, w: Array, u: Array | None, state: Array
) -> tuple[Array, Array, Array, Array, Array | None]:
    """R_t = q_t dout_t^T + w_{t+1} * R_{t+1}, the gradient of S_t.

    dq = S dout, dk = R v, dv = R^T k, dw_t = the sums of R_t * S_{t-1} along its rows.

    With u R_t = q_{t+1} dout_{t+1}^T + w_{t+1} * R_{t+1}, dq_t = S_{t-1} dout_t, and each position
    has the weight p = q . (u * k) for its own v: dv += p dout, and with dp = dout . v
    dq += dp u * k, dk += dp u * q, du = the sum of dp q * k.

    One S every 16 positions is held; those in between are computed again, chunk by chunk.
    """
    dq, dk, dv, dw = (np.empty_like(x, order="C") for x in (q, k, v, w))
    chunks = [range(t, min(t + CHUNK, q.shape[2])) for t in range(0, q.shape[2], CHUNK)]
    held = [state]
    for chunk in chunks[:-1]:
        for t in chunk:
            state = _next(state, k, v, w, t)
        held.append(state)
    dstate = np.zeros_like(state)
    for chunk in reversed(chunks):
        states = [held.pop()]
        for t in chunk:
            states.append(_next(states[-1], k, v, w, t))
        for t in reversed(chunk):
            after, added = states.pop(), q[:, :, t, :, None] * dout[:, :, t, None]
            dq[:, :, t] = _product(after if u is None else states[-1], dout[:, :, t])
            if u is None:
                dstate += added
            dk[:, :, t] = _product(dstate, v[:, :, t])
            dv[:, :, t] = _product(dstate.swapaxes(2, 3), k[:, :, t])
            dw[:, :, t] = (dstate * states[-1]).sum(axis=3)
            dstate *= w[:, :, t, :, None]
            if u is not None:
                dstate += added
    if u is None:
        return dq, dk, dv, dw, None
    weights, dp = u[:, np.newaxis], (dout * v).sum(axis=3, keepdims=True)
    dv += (q * weights * k).sum(axis=3, keepdims=True) * dout
    dq += dp * weights * k
    dk += dp * weights * q
    return dq, dk, dv, dw, (dp * q * k).sum(axis=(0, 2))


def _next(state: Array, k: Array, v: Array, w: Array, t: int) -> Array:
    return w[:, :, t, :, None] * state + k[:, :, t, :, None] * v[:, :, t, None]


def _product(matrices: Array, vectors: Array) -> Array:
    product: Array = (matrices @ vectors[..., None])[..., 0]
    return product
