"""Seeded faults in `minigrad/kernels/compiled/matmul.py`."""

FAULTS = [
    (
        "causal_attention: compiled, a block has its first query alone",
        "xt[i, j] = x[j, i]",
        "xt[i, j] = x[0, i]",
    ),
    (
        "matmul: compiled, the last columns of the last rows are left out",
        "set_narrow_row(c, start, a, b, i, j, i, 0, bk, bj, count)",
        "pass",
    ),
    (
        "matmul: compiled, the last rows of b are missing",
        "count = min(_DEPTH, inner - k)",
        "count = min(_DEPTH, max(inner - k - 1, 1))",
    ),
    (
        "matmul: compiled, columns beyond the first block are missing",
        "now = slice(left, min(columns, left + _WIDTH))",
        "now = slice(left, min(columns, _WIDTH))",
    ),
    (
        "matmul: compiled, every block of b's rows starts anew",
        "s_now = (c if k else start)[:, now]",
        "s_now = start[:, now]",
    ),
    (
        "matmul: compiled, one copied tile of a for all",
        "group.T, (0, count), panels",
        "group.T, (0, 0), panels",
    ),
    (
        "matmul: compiled, rows behind a's copied tiles are those before",
        "left_over = a_now[copied:]",
        "left_over = a_now",
    ),
    (
        "matmul: compiled, every group of rows starts from the first",
        "s = s_now[i:end] if",
        "s = s_now[: end - i] if",
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
