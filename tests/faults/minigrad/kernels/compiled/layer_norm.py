"""Seeded faults in `minigrad/kernels/compiled/layer_norm.py`."""

FAULTS = [
    (
        "layer_norm: compiled, the first group's weight for all",
        "x, n, weight[group], ",
        "x, n, weight[0], ",
    ),
    (
        "layer_norm_vjp: compiled, the groups' sums in one",
        "dweight[part, group], ",
        "dweight[part, 0], ",
    ),
    (
        "layer_norm: compiled, eps outside of the root",
        "1 / np.sqrt(total * scale + eps)",
        "1 / (np.sqrt(total * scale) + eps)",
    ),
    (
        "layer_norm: compiled, the variance about 0",
        "deviation = x[n, d] - mean\n",
        "deviation = x[n, d]\n",
    ),
    ("layer_norm_vjp: compiled, the sum for the mean", "        mean_g *= scale\n", ""),
    (
        "layer_norm_vjp: compiled, the part along xhat stays",
        " - xhat * mean_g_xhat) * r",
        ") * r",
    ),
    (
        "layer_norm_vjp: compiled, = for += in dweight",
        "dw[d] += dy",
        "dw[d] = dy",
    ),
    (
        "layer_norm_vjp: compiled, sums of the first thread only",
        "parts.sum(axis=0)",
        "parts[0]",
    ),
]
