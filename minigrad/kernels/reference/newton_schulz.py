"""Newton-Schulz iterations on a batch of matrices."""

from __future__ import annotations

from minigrad.kernels.reference.array import Array


def newton_schulz(x: Array, coefficients: tuple[float, float, float], steps: int) -> Array:
    """X <- a X + (b X X^T + c (X X^T)^2) X, `steps` times.    x: (N, M, K) -> (N, M, K)

    X = U S V^T keeps U and V; every singular value s becomes a s + b s^3 + c s^5.
    """
    a, b, c = (x.dtype.type(number) for number in coefficients)
    for _ in range(steps):
        square = x @ x.swapaxes(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x
