"""Seeded faults in `minigrad/kernels/compiled/scan.py`."""

FAULTS = [
    ("selective_scan: compiled, D is left out", "sums[e] = D[e] * u[b, t, e]", "sums[e] = 0"),
    (
        "selective_scan: compiled, every sequence begins as the first",
        "_copy(last[b], h)\n",
        "_copy(last[0], h)\n",
    ),
    (
        "selective_scan_vjp: compiled, goes on with the gradient of another sequence",
        "        g[:] = 0\n",
        "        g[:] *= 1\n",
    ),
    (
        "selective_scan_vjp: compiled, every chunk begins with the first state",
        "_copy(kept[b, chunk], h[0])",
        "_copy(kept[b, 0], h[0])",
    ),
    (
        "selective_scan_vjp: compiled, dB with the chunk's first input",
        "dot(g[n], added[i])",
        "dot(g[n], added[0])",
    ),
]
