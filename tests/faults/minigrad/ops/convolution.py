"""Seeded faults in `minigrad/ops/convolution.py`."""

FAULTS = [
    (
        "causal_convolution: the gradient is a token late",
        "dpadded[:, taps - 1 :], *others",
        "np.roll(dpadded, 1, axis=1)[:, taps - 1 :], *others",
    ),
    (
        "causal_convolution: dense, gradients of overlapping windows are lost",
        "dpadded[:, k : k + length] += dwindows",
        "dpadded[:, k : k + length] = dwindows",
    ),
    (
        "causal_convolution: depthwise, the state is not seen",
        "kernels.depthwise_convolution(padded, ",
        "kernels.depthwise_convolution(padded - padded[:, :1] * (taps > 1), ",
    ),
    (
        "part_by_part: the inputs before the next part begin a token early",
        "state[...] = padded[:, x.shape[1] :]",
        "state[...] = padded[:, x.shape[1] - 1 : -1]",
    ),
    (
        "fft_convolution: not padded, so that the end is seen at the beginning",
        "size = _quick_size(2 * length)",
        "size = length",
    ),
    ("fft_convolution: dx convolved again", "spectrum(kernel.T).conj()", "spectrum(kernel.T)"),
    ("fft_convolution: dkernel convolved again", "spectrum(x).conj()", "spectrum(x)"),
]
