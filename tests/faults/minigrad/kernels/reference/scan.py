"""Seeded faults in `minigrad/kernels/reference/scan.py`."""

FAULTS = [
    (
        "selective_scan: the input is not scaled by dt",
        "a * h + (dt[:, t] * u[:, t])",
        "a * h + u[:, t]",
    ),
    (
        "selective_scan: y of the state before",
        "        h = _next(h, t, u, dt, A, B)[1]\n        y[:, t] += (C[:, t, :, np.newaxis] * h)",
        "        y[:, t] += (C[:, t, :, np.newaxis] * h)",
    ),
    (
        "selective_scan_vjp: every chunk begins with the first state",
        "[kept[:, chunk]], []",
        "[kept[:, 0]], []",
    ),
    (
        "selective_scan_vjp: ddt without the decay's part",
        "g_B * u[:, t] + (dexponent * A).sum(axis=1)",
        "g_B * u[:, t]",
    ),
    ("selective_scan_vjp: dC of the state before", "(h[i + 1] * dy", "(h[i] * dy"),
    ("selective_scan_vjp: back by the decay of another token", "g *= a[i]", "g *= a[0]"),
]
