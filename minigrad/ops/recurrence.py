"""Recurrences: a state goes from token to token, and each result is made of it.

A sequence can be given in parts: `state` is an array with what is known before the first token, 0
where it is not given. It has no gradient. What is known after the last token is written into it.
"""

from __future__ import annotations

import numpy as np

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import as_rows, state_before


@differentiable
def rnn(x, w_ih, w_hh, b_ih, b_hh, /, *, state=None):
    """h[t] = tanh(w_ih x[t] + b_ih + w_hh h[t-1] + b_hh).

    x: (B, T, I), w_ih: (D, I), w_hh: (D, D), b_ih, b_hh: (D) -> h: (B, T, D)

    dx = da w_ih, dw_ih = da^T x, dw_hh = da^T h[t-1], db_ih = db_hh = sum(da), with a the argument
    of tanh and da[t] = (dh[t] + da[t+1] w_hh) (1 - h[t]^2).    Keeps x, w_ih, w_hh and h.

    state: (B, D), the h before the first token

    Source: Elman, Finding structure in time, 1990, Cognitive Science 14:179-211; parameters as in
    torch.nn.RNN.
    """
    h0 = _h0("rnn", 1, state, x, w_ih, w_hh, b_ih, b_hh)
    h = kernels.rnn(_product(x, w_ih, b_ih), h0, w_hh, b_hh)
    if state is not None:
        state[...] = h[:, -1]

    def vjp(dh):
        da = kernels.rnn_vjp(dh, h, w_hh)
        dx, dw_ih, db_ih = kernels.linear_vjp(as_rows(da), as_rows(x), w_ih)
        return dx.reshape(x.shape), dw_ih, _dw_hh(da, h0, h), db_ih, db_ih

    return h, vjp


@differentiable
def gru(x, w_ih, w_hh, b_ih, b_hh, /, *, state=None):
    """h[t] = (1 - z) n + z h[t-1], n = tanh(a_n + r p_n), r = sigmoid(a_r + p_r), z alike.

    x: (B, T, I), w_ih: (3D, I), w_hh: (3D, D), b_ih, b_hh: (3D) -> h: (B, T, D)

    [a_r a_z a_n] = w_ih x[t] + b_ih, [p_r p_z p_n] = w_hh h[t-1] + b_hh: r acts after the product.

    dx = da w_ih, dw_ih = da^T x, db_ih = sum(da), dw_hh = dp^T h[t-1], db_hh = sum(dp), with
    g = dh[t] + g[t+1] z[t+1] + dp[t+1] w_hh, da_n = g (1 - z) (1 - n^2), da_r = da_n p_n r (1 - r),
    da_z = g (h[t-1] - n) z (1 - z); dp = da, but dp_n = da_n r.

    Keeps x, w_ih, w_hh, h, and r, z, n and p_n.

    state: (B, D), the h before the first token

    Source: Cho et al., Learning phrase representations, 2014, arXiv:1406.1078; the reset gate and
    parameters as in torch.nn.GRU.
    """
    h0 = _h0("gru", 3, state, x, w_ih, w_hh, b_ih, b_hh)
    h, gates = kernels.gru(_product(x, w_ih, b_ih), h0, w_hh, b_hh)
    if state is not None:
        state[...] = h[:, -1]

    def vjp(dh):
        da, dp = kernels.gru_vjp(dh, h0, h, gates, w_hh)
        dx, dw_ih, db_ih = kernels.linear_vjp(as_rows(da), as_rows(x), w_ih)
        return dx.reshape(x.shape), dw_ih, _dw_hh(dp, h0, h), db_ih, dp.sum(axis=(0, 1))

    return h, vjp


def _h0(name, gates, state, x, w_ih, w_hh, b_ih, b_hh):
    """The h before the first token. Raises ValueError for shapes that do not fit."""
    rows = w_hh.shape[:1]
    if not (
        x.ndim == 3
        and x.shape[1] > 0
        and w_hh.ndim == 2
        and w_hh.shape[0] == gates * w_hh.shape[1]
        and w_ih.shape == rows + x.shape[2:]
        and b_ih.shape == b_hh.shape == rows
    ):
        G = f"{gates}D" if gates > 1 else "D"
        raise ValueError(
            f"{name} of x {x.shape}, w_ih {w_ih.shape}, w_hh {w_hh.shape}, b_ih {b_ih.shape}, "
            f"b_hh {b_hh.shape}: wanted (B, T, I), ({G}, I), ({G}, D), ({G}), ({G}), T at least 1"
        )
    return state_before(name, state, (len(x), w_hh.shape[1]), x.dtype)


def _product(x, weight, bias):
    return kernels.linear(as_rows(x), weight, bias).reshape(*x.shape[:2], len(weight))


def _dw_hh(dp, h0, h):
    before = np.concatenate([h0[:, np.newaxis], h[:, :-1]], axis=1)[:, : h.shape[1]]
    return kernels.matmul(as_rows(dp).T, as_rows(before))
