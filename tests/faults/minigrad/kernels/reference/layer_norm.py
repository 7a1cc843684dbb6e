"""Seeded faults in `minigrad/kernels/reference/layer_norm.py`."""

FAULTS = [
    (
        "layer_norm: eps outside of the root",
        "scale * np.sqrt(var + x.dtype.type(eps) / scale / scale)",
        "scale * np.sqrt(var) + x.dtype.type(eps)",
    ),
    (
        "layer_norm: the variance of a sample",
        "(scaled * scaled).mean(axis=1)",
        "(scaled * scaled).sum(axis=1) / max(x.shape[1] - 1, 1)",
    ),
    (
        "layer_norm_vjp: the mean of g stays",
        "dx = g - g.mean(axis=1, keepdims=True) -",
        "dx = g -",
    ),
    (
        "layer_norm_vjp: the part along xhat stays",
        " - xhat * (g * xhat).mean(axis=1, keepdims=True)\n",
        "\n",
    ),
    ("layer_norm_vjp: x for xhat", "(dy * xhat).reshape", "(dy * x).reshape"),
    (
        "layer_norm_vjp: the mean over rows",
        ", dy.reshape(groups).sum(",
        ", dy.reshape(groups).mean(",
    ),
    (
        "layer_norm: the groups of another order",
        "reshape(-1, *weight.shape) * weight",
        "reshape(-1, *weight.shape) * weight[::-1]",
    ),
]
