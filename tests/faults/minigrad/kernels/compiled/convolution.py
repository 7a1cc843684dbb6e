"""Seeded faults in `minigrad/kernels/compiled/convolution.py`."""

FAULTS = [
    (
        "depthwise_convolution: compiled, without the bias",
        "y[b, t, e] = bias[e]",
        "y[b, t, e] = 0",
    ),
    (
        "depthwise_convolution_vjp: compiled, dweight of the first sequence",
        "dy[b, t, e] * x[b, t + k, e]",
        "dy[b, t, e] * x[0, t + k, e]",
    ),
    (
        "depthwise_convolution_vjp: compiled, dx at the oldest input",
        "dx[b, t + k, e] +=",
        "dx[b, t, e] +=",
    ),
]
