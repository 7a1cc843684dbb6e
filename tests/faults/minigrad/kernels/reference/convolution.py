"""Seeded faults in `minigrad/kernels/reference/convolution.py`."""

FAULTS = [
    ("token_shift: from the token before", "return x + (", "return _earlier(x, before) + ("),
    (
        "token_shift_vjp: what the next token takes is left out",
        "    dx[:, :-1] += dy[:, 1:] * mix[:, 1:]\n",
        "",
    ),
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
