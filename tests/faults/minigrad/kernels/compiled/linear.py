"""Seeded faults in `minigrad/kernels/compiled/linear.py`."""

FAULTS = [
    (
        "linear: compiled, no bias",
        "team.run(_linear, spans, y, plain(bias).reshape(1, -1)",
        "team.run(_linear, spans, y, 0 * plain(bias).reshape(1, -1)",
    ),
    (
        "linear_vjp: compiled, dbias of the last block alone",
        "db[j] += d[i, j]",
        "db[j] = d[i, j]",
    ),
    (
        "frozen: linear_vjp compiled, dx only where dweight is needed",
        "        if dx.size:\n",
        "        if dw.size:\n",
    ),
    (
        "frozen: linear_vjp compiled, dweight has room all the same",
        "np.empty_like(a if n else a[:0])",
        "np.empty_like(a)",
    ),
    ("linear_vjp: compiled, one thread's dweight only", "dweight += other", "pass"),
]
