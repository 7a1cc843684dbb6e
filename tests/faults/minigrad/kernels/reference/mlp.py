"""Seeded faults in `minigrad/kernels/reference/mlp.py`."""

FAULTS = [
    ("mlp: the last bias is missing", ' "none") @ w2.T + b2\n', ' "none") @ w2.T\n'),
    (
        "composed: mlp's last piece is missing",
        "range(0, len(x), step)",
        "range(0, max(len(x) - step, 1), step)",
    ),
    ("composed: = for += in mlp's dw1", "dw1 += da.T @ x[rows]", "dw1[:] = da.T @ x[rows]"),
    ("composed: = for += in mlp's db1", "db1 += da.sum(axis=0)", "db1[:] = da.sum(axis=0)"),
    ("composed: = for += in mlp's dw2", "dw2 += dy[rows].T", "dw2[:] = dy[rows].T"),
    (
        "mlp_vjp: the first layer without its bias",
        "else x[rows] @ w1.T + b1\n",
        "else x[rows] @ w1.T\n",
    ),
    ("frozen: mlp_vjp's dx where w1 is needed", "        if for_x:\n", "        if for_w1:\n"),
    ("frozen: mlp_vjp's dw1 has room all the same", "w1 if for_w1 else w1[:0]", "w1"),
]
