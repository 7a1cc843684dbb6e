"""Seeded faults in `minigrad/kernels/reference/convolution.py`."""

FAULTS = [
    (
        "depthwise_convolution: the first tap meets x[t]",
        "enumerate(weight):\n        y",
        "enumerate(weight[::-1]):\n        y",
    ),
    (
        "depthwise_convolution_vjp: dx by the first tap only",
        "dx[:, k : k + length] += w * dy",
        "dx[:, k : k + length] += weight[0] * dy",
    ),
    (
        "depthwise_convolution_vjp: dweight of the oldest inputs",
        "(dy * x[:, k : k + length])",
        "(dy * x[:, :length])",
    ),
]
