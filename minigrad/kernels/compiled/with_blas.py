"""The compiled kernels, but large products are left to NumPy's BLAS: the backend 'numba+blas'.

On some machines BLAS has a unit for matrices, which no loop over vectors keeps up with: Apple's
Accelerate has one, and so has Intel's MKL on some processors. `measured.py` finds out.
"""

from __future__ import annotations

from typing import Any

from minigrad.kernels import compiled, reference
from minigrad.kernels.reference.array import Array

matmul, newton_schulz = reference.matmul, reference.newton_schulz
linear, linear_vjp = reference.linear, reference.linear_vjp


def mlp(x: Array, w1: Array, b1: Array, w2: Array, b2: Array, keep: bool) -> tuple[Array, Array]:
    """See the reference: products by BLAS, GELU compiled."""
    return reference.mlp(x, w1, b1, w2, b2, keep, compiled.gelu)


def mlp_vjp(
    dy: Array,
    x: Array,
    w1: Array,
    b1: Array,
    w2: Array,
    hidden: Array,
    needed: tuple[bool, ...] = (True,) * 5,
) -> tuple[Any, ...]:
    """See the reference: products by BLAS, GELU compiled."""
    return reference.mlp_vjp(dy, x, w1, b1, w2, hidden, needed, compiled.gelu, compiled.gelu_vjp)


def __getattr__(name: str) -> Any:
    return getattr(compiled, name)
