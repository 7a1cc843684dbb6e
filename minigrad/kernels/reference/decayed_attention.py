"""Decayed attention: a state that forgets, step by step as the recurrence reads."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.reference.array import Array

CHUNK = 16  # positions between two states that backward holds


def decayed_attention(q: Array, k: Array, v: Array, w: Array, state: Array) -> tuple[Array, Array]:
    """S_t = w_t * S_{t-1} + k_t v_t^T, out_t = S_t^T q_t, w_t scaling the rows of S.

    q, k, w: (B, H, T, d), v: (B, H, T, e), state: (B, H, d, e), the S before the first position
        -> out: (B, H, T, e), and the S after the last position
    """
    out = np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    state = state.copy()
    for t in range(q.shape[2]):
        state = _next(state, k, v, w, t)
        out[:, :, t] = _product(state.swapaxes(2, 3), q[:, :, t])
    return out, state


def decayed_attention_vjp(
    dout: Array, q: Array, k: Array, v: Array, w: Array, state: Array
) -> tuple[Array, Array, Array, Array]:
    """R_t = q_t dout_t^T + w_{t+1} * R_{t+1}, the gradient of S_t.

    dq = S dout, dk = R v, dv = R^T k, dw_t = the sums of R_t * S_{t-1} along its rows.

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
            dq[:, :, t] = _product(states.pop(), dout[:, :, t])
            dstate += q[:, :, t, :, None] * dout[:, :, t, None]
            dk[:, :, t] = _product(dstate, v[:, :, t])
            dv[:, :, t] = _product(dstate.swapaxes(2, 3), k[:, :, t])
            dw[:, :, t] = (dstate * states[-1]).sum(axis=3)
            dstate *= w[:, :, t, :, None]
    return dq, dk, dv, dw


def _next(state: Array, k: Array, v: Array, w: Array, t: int) -> Array:
    return w[:, :, t, :, None] * state + k[:, :, t, :, None] * v[:, :, t, None]


def _product(matrices: Array, vectors: Array) -> Array:
    product: Array = (matrices @ vectors[..., None])[..., 0]
    return product
