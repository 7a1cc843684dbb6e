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
    ("linear_vjp: compiled, one thread's dweight only", "dweight += other", "pass"),
]
