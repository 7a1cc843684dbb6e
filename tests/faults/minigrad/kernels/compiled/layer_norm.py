"""Seeded faults in `minigrad/kernels/compiled/layer_norm.py`."""

FAULTS = [
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
        "dweight[part, d] += dy",
        "dweight[part, d] = dy",
    ),
    (
        "layer_norm_vjp: compiled, dbias of the first thread only",
        "dbias.sum(axis=0)",
        "dbias[0]",
    ),
]
