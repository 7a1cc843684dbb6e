"""Seeded faults in `minigrad/kernels/compiled/product.py`."""

FAULTS = [
    (
        "attention: compiled, a block has its first query alone",
        "xt[i, j] = scale * x[j, i]",
        "xt[i, j] = scale * x[0, i]",
    ),
    (
        "matmul: compiled, the last columns of the last rows are left out",
        "set_row(c, start, a, b, i, i, 0, b_step, count)",
        "pass",
    ),
    (
        "matmul: compiled, the last rows of b are missing",
        "count = min(depth, inner - k)",
        "count = min(depth, max(inner - k - 1, 1))",
    ),
    (
        "matmul: compiled, columns beyond the first block are missing",
        "now = slice(left, min(columns, left + width))",
        "now = slice(left, min(columns, width))",
    ),
    (
        "matmul: compiled, every block of b's rows starts anew",
        "s_now = (c if k else start)[:, now]",
        "s_now = start[:, now]",
    ),
    ("matmul: compiled, one copied tile of a for all", "group.T, (0, count)", "group.T, (0, 0)"),
    (
        "matmul: compiled, rows behind a's copied tiles are those before",
        "a_now, a_step = a[first:end, k",
        "a_now, a_step = a[:end, k",
    ),
    (
        "matmul: compiled, every group of rows starts from the first",
        "s = s_now[first:end] if",
        "s = s_now[: end - first] if",
    ),
    (
        "matmul: compiled, the first panel of a transposed b for all",
        "panel[k, lane] = b[k, first + lane]",
        "panel[k, lane] = b[k, lane]",
    ),
    (
        "matmul: compiled, the last panel of b is not copied",
        "if whole * lanes < columns:",
        "if whole * lanes < columns - lanes:",
    ),
    (
        "matmul: compiled, the rows left over are missing",
        "for i in range(even, rows):",
        "for i in range(even, even):",
    ),
]
