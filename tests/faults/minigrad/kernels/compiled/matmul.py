"""Seeded faults in `minigrad/kernels/compiled/matmul.py`."""

FAULTS = [
    (
        "matmul: compiled, batches of b are not repeated",
        "b = np.broadcast_to(b, batch + b.shape[-2:])",
        "b = np.resize(b, batch + b.shape[-2:])",
    )
]
