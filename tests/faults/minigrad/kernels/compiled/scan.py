"""Seeded faults in `minigrad/kernels/compiled/scan.py`."""

FAULTS = [
    ("selective_scan: compiled, D is left out", "sums[e] = D[e] * u[b, t, e]", "sums[e] = 0"),
    (
        "selective_scan: compiled, every sequence begins as the first",
        "_copy(last[b], h, low, high)\n",
        "_copy(last[0], h, low, high)\n",
    ),
    (
        "selective_scan_vjp: compiled, goes on with the gradient of another sequence",
        "        g[:] = 0\n",
        "        g[:] *= 1\n",
    ),
    (
        "selective_scan_vjp: compiled, every chunk begins with the first state",
        "_copy(kept[b, chunk], h[0], low, high)",
        "_copy(kept[b, 0], h[0], low, high)",
    ),
    (
        "selective_scan_vjp: compiled, dB with the chunk's first input",
        "dot(g[n, low:high], added[i, low:high])",
        "dot(g[n, low:high], added[0, low:high])",
    ),
    (
        "selective_scan: compiled, channels of the first group again",
        "np.uintp(group * width // groups), np.uintp((group + 1) * width // groups)\n"
        "        _copy(last",
        "np.uintp(0), np.uintp(width // groups)\n        _copy(last",
    ),
    (
        "selective_scan_vjp: compiled, dC of each group in one place",
        "dC[group, b, t, n] =",
        "dC[0, b, t, n] =",
    ),
]
