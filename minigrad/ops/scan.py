"""The selective scan: a recurrence without products, whose decays and inputs each token chooses."""

from __future__ import annotations

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import state_before


@differentiable
def selective_scan(u, dt, A, B, C, D, /, *, state=None):
    """y[t] = h[t] C[t] + D u[t], h[t] = e^(dt[t] A) h[t-1] + dt[t] u[t] B[t].

    u, dt: (B, T, E), A: (E, N), B, C: (B, T, N), D: (E) -> y: (B, T, E), with h: (B, E, N)

    du = gB dt + D dy, ddt = gB u + sum over n of q A, dA = sum of q dt, dB = sum over e of g dt u,
    dC = sum over e of dy h, dD = sum of dy u, with g[t] = dy[t] C[t] + e^(dt[t+1] A) g[t+1], the
    gradient of h[t], gB = sum over n of g B, and q = g e^(dt A) h[t-1], the gradient of dt A.

    Keeps u, dt, A, B, C and D, and h before every 16th token.

    Backward computes the h between those again. It multiplies by decays and never divides by them,
    so that none is too strong.

    state: (B, E, N), the h before the first token; 0 where it is not given. It has no gradient. The
        h after the last token is written into it, so that a sequence can be given in parts.

    Source: Gu and Dao, Mamba, 2023, algorithm 2, arXiv:2312.00752.
    """
    if not (
        u.ndim == B.ndim == 3
        and dt.shape == u.shape
        and A.shape == (u.shape[2], B.shape[2])
        and B.shape == C.shape == (*u.shape[:2], B.shape[2])
        and D.shape == u.shape[2:]
    ):
        raise ValueError(
            f"selective_scan of u {u.shape}, dt {dt.shape}, A {A.shape}, B {B.shape}, "
            f"C {C.shape}, D {D.shape}: "
            "wanted (B, T, E), (B, T, E), (E, N), (B, T, N), (B, T, N), (E)"
        )
    h0 = state_before("selective_scan", state, (len(u), *A.shape), u.dtype)
    y, kept, last = kernels.selective_scan(u, dt, A.T, B, C, D, h0.swapaxes(1, 2))
    if state is not None:
        state[...] = last.swapaxes(1, 2)

    def vjp(dy):
        du, ddt, dA, *others = kernels.selective_scan_vjp(dy, u, dt, A.T, B, C, D, kept)
        return du, ddt, dA.T, *others

    return y, vjp
