"""Seeded faults in `minigrad/ops/linalg.py`."""

FAULTS = [
    (
        "matmul: the gradient of b from the first batch only",
        "kernels.matmul(as_rows(row).T, as_rows(dy))",
        "kernels.matmul(as_rows(row[:1]).T, as_rows(dy[:1]))",
    ),
    (
        "matmul: b not transposed",
        "kernels.matmul(dy, column.swapaxes(-1, -2))",
        "kernels.matmul(dy, column.reshape(column.swapaxes(-1, -2).shape))",
    ),
    (
        "matmul: a row's gradient from the first batch only",
        "d.sum(axis=tuple(range(d.ndim - 1)))",
        "d[(slice(1),) * (d.ndim - 1)].sum(axis=tuple(range(d.ndim - 1)))",
    ),
    (
        "matmul: a column's gradient from the first batch only",
        "d[..., 0].sum(axis",
        "d[(slice(1),) * (d.ndim - 2)][..., 0].sum(axis",
    ),
]
