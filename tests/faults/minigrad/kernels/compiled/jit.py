"""Seeded faults in `minigrad/kernels/compiled/jit.py`."""

FAULTS = [
    (
        "softmax: compiled, the axis is not moved back",
        "np.moveaxis(rows.reshape(moved), -1, axis)",
        "rows.reshape(shape)",
    ),
]
