"""Make the coefficients of the float32 normal distribution in `minigrad/kernels` again.

    P(Z > z) = e^(-z^2 / 2) * (c1 t + c2 t^2 + ... + c9 t^9),    t = 1 / (1 + 0.35 z),    z >= 0
    2^f = c0 + c1 f + ... + c6 f^6,    -1/2 <= f <= 1/2

The first are the TAIL_COEFFICIENTS in reference/gelu.py, the second the POWER_COEFFICIENTS in
compiled/gelu.py. The polynomials are fitted to the smallest largest relative error, by Lawson's
algorithm: least squares again and again, each time with more weight where the error was large.

Source: the first form is that of Hastings, Approximations for Digital Computers, 1955, sheet 43;
Lawson's algorithm as in Rice and Usow, Mathematics of Computation 22, 1968.

Usage: python benchmarks/fit_gelu.py
"""

import math
from collections.abc import Iterable

import numpy as np

SLOPE, LARGEST = 0.35, 14.0


def fit(x: np.ndarray, y: np.ndarray, powers: Iterable[int]) -> None:
    """Print the coefficients c of y = sum_k c_k x^k, and their largest relative error."""
    columns = np.stack([x**k / y for k in powers], axis=1)
    weight = np.ones_like(x)
    for _ in range(1000):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(columns * root[:, None], root, rcond=None)[0]
        error = np.abs(columns @ coefficients - 1)
        weight = np.maximum(weight * error / np.mean(weight * error), 1e-12)
    for c in coefficients:
        print(f"{c:.10g},")
    print(f"largest relative error: {error.max():.2g}")


def main() -> None:
    """Print both, lowest power first."""
    points = 400
    nodes = (1 - np.cos(np.pi * (np.arange(points) + 0.5) / points)) / 2  # Chebyshev's, on (0, 1)
    t = nodes[nodes > 1 / (1 + SLOPE * LARGEST)]
    z = (1 / t - 1) / SLOPE
    exact = np.array([math.erfc(x / math.sqrt(2)) / 2 * math.exp(x * x / 2) for x in z])
    fit(t, exact, range(1, 10))
    fit(nodes - 0.5, 2 ** (nodes - 0.5), range(7))


if __name__ == "__main__":
    main()
