"""Seeded faults in `minigrad/ops/normalization.py`."""

FAULTS = [
    (
        "softmax: always along the last axis",
        "kernels.softmax_vjp(p, dp, axis)",
        "kernels.softmax_vjp(p, dp, p.ndim - 1)",
    ),
    (
        "log_softmax: the sum forgotten",
        "(kernels.log_softmax_vjp(y, dy, axis),)",
        "(dy,)",
    ),
    (
        "layer_norm: weight's and bias' gradients swapped",
        "return dx.reshape(x.shape), dw, db",
        "return dx.reshape(x.shape), db, dw",
    ),
]
