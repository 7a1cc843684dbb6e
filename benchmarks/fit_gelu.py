"""Make the coefficients of the float32 normal tail in `minigrad/kernels/reference.py` again.

    P(Z > z) = e^(-z^2 / 2) * (c1 t + c2 t^2 + ... + c9 t^9),    t = 1 / (1 + 0.35 z),    z >= 0

The polynomial is fitted to the smallest largest relative error, by Lawson's algorithm: least
squares again and again, each time with more weight where the error was large.

Source: the form is that of Hastings, Approximations for Digital Computers, 1955, sheet 43; Lawson's
algorithm as in Rice and Usow, Mathematics of Computation 22, 1968.

Usage: python benchmarks/fit_gelu.py
"""

import math

import numpy as np

SLOPE, DEGREE, LARGEST = 0.35, 9, 14.0


def main() -> None:
    """Print the coefficients, c1 first, and their largest relative error."""
    points = 400
    t = (1 - np.cos(np.pi * (np.arange(points) + 0.5) / points)) / 2  # Chebyshev nodes on (0, 1)
    t = t[t > 1 / (1 + SLOPE * LARGEST)]
    z = (1 / t - 1) / SLOPE
    exact = np.array([math.erfc(x / math.sqrt(2)) / 2 * math.exp(x * x / 2) for x in z])
    powers = t[:, None] ** np.arange(1, DEGREE + 1) / exact[:, None]
    weight = np.ones_like(t)
    for _ in range(1000):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(powers * root[:, None], root, rcond=None)[0]
        error = np.abs(powers @ coefficients - 1)
        weight = np.maximum(weight * error / np.mean(weight * error), 1e-12)
    for c in coefficients:
        print(f"{c:.10g},")
    print(f"largest relative error: {error.max():.2g}")


if __name__ == "__main__":
    main()
