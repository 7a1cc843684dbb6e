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
    (
        "token_shift: compiled, the token before the first is of the first sequence",
        "earlier = x[b, t - 1] if t else before[b, 0]\n        for e in range(x.shape[2]):\n"
        "            y",
        "earlier = x[b, t - 1] if t else before[0, 0]\n        for e in range(x.shape[2]):\n"
        "            y",
    ),
    (
        "token_shift_vjp: compiled, what the next token takes is left out",
        "if t + 1 < x.shape[1]:",
        "if t + 1 < 0:",
    ),
    (
        "token_shift_vjp: compiled, dmix from a token later",
        "dmix[b, t, e] = dy[b, t, e] * (earlier[e] - x[b, t, e])",
        "dmix[b, t, e] = dy[b, t, e] * (x[b, t, e] - earlier[e])",
    ),
]
