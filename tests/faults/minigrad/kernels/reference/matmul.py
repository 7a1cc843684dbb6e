"""Seeded faults in `minigrad/kernels/reference/matmul.py`."""

FAULTS = [
    (
        "matmul: 0.1% off",
        "return np.matmul(a, b)",
        "return np.matmul(a, b) * a.dtype.type(1.001)",
    ),
]
