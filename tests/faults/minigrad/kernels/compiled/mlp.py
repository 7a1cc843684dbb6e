"""Seeded faults in `minigrad/kernels/compiled/mlp.py`."""

FAULTS = [
    (
        "mlp: compiled, a block of units has the first's bias",
        "w1t[:, : end - unit], b1[:, unit:end], w2t",
        "w1t[:, : end - unit], b1[:, : end - unit], w2t",
    ),
    (
        "mlp_vjp: compiled, dx of the first thread only",
        "        dx += other",
        "        pass",
    ),
    ("mlp_vjp: compiled, a stale dh", "(dh, zeros, dy[", "(dh, dh, dy["),
    ("mlp_vjp: compiled, dx of the last units", "dx_rows if unit > start else zeros", "zeros"),
    (
        "mlp_vjp: compiled, dw2 of one block of units in the next",
        "dw2_now if row else zeros",
        "dw2_now",
    ),
    ("mlp_vjp: compiled, = for += in db1", "db[j] += dh[i, j]", "db[j] = dh[i, j]"),
    ("mlp_vjp: compiled, a for gelu(a)", "h[i, j] = a * cdf", "h[i, j] = a"),
    (
        "mlp_vjp: compiled, x p(x) without the x",
        "cdf + a * density",
        "cdf + density",
    ),
    (
        "mlp_vjp: compiled, the first units of a kept hidden layer for all",
        "kept[row + i, unit + j]",
        "kept[row + i, j]",
    ),
    (
        "frozen: mlp_vjp compiled, dx only where dw1 is needed",
        "            if dx.size:\n",
        "            if dw1.size:\n",
    ),
    (
        "frozen: mlp_vjp compiled, dw2 only where dw1 is needed",
        "            if dw2.size:\n",
        "            if dw1.size:\n",
    ),
    (
        "frozen: mlp_vjp compiled, dw1 and dw2 have room all the same",
        "np.empty_like(a if n else a[:0])",
        "np.empty_like(a)",
    ),
]
