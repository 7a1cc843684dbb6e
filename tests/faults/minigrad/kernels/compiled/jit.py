"""Seeded faults in `minigrad/kernels/compiled/jit.py`."""

FAULTS = [
    (
        "softmax: compiled, the axis is not moved back",
        "np.moveaxis(rows.reshape(moved), -1, axis)",
        "rows.reshape(shape)",
    ),
    (
        "compile_at_once: a file of code has the next free number",
        "int(hashlib.sha256(repr(key).encode()).hexdigest()[:15], 16)",
        "len(overloads) + 1",
    ),
]
