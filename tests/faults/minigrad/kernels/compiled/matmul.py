"""Seeded faults in `minigrad/kernels/compiled/matmul.py`."""

FAULTS = [
    (
        "causal_attention: compiled, a block has its first query alone",
        "xt[i, j] = x[j, i]",
        "xt[i, j] = x[0, i]",
    ),
    (
        "matmul: compiled, the last columns of the last rows are left out",
        "range(paired, right, vector):\n                    set_narrow_row",
        "range(paired, right, 2 * vector):\n                    set_narrow_row",
    ),
    (
        "matmul: compiled, the last rows of b are missing",
        "count = min(_DEPTH, inner - k)",
        "count = min(_DEPTH, max(inner - k - 1, 1))",
    ),
    (
        "matmul: compiled, columns beyond the first block are missing",
        "right = min(columns, left + _WIDTH)",
        "right = min(columns, _WIDTH)",
    ),
    (
        "matmul: compiled, batches of b are not repeated",
        "b = np.broadcast_to(b, batch + b.shape[-2:])",
        "b = np.resize(b, batch + b.shape[-2:])",
    ),
    (
        "matmul: compiled, the rows left over are missing",
        "for i in range(even, rows):",
        "for i in range(even, even):",
    ),
]
