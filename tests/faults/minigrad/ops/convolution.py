"""Seeded faults in `minigrad/ops/convolution.py`."""

FAULTS = [
    (
        "causal_convolution: the gradient is a token late",
        "return dpadded[:, taps - 1 :], dcolumns",
        "return np.roll(dpadded, 1, axis=1)[:, taps - 1 :], dcolumns",
    ),
    (
        "causal_convolution: dense, the taps go back in the order in which they came",
        "weight.transpose(1, 2, 0)[:, ::-1]",
        "weight.transpose(1, 2, 0)[:, :]",
    ),
    (
        "causal_convolution: dense, dx sees the next sequence",
        "dy = np.concatenate([dy, np.zeros((len(dy), taps - 1, outputs), dy.dtype)], axis=1)",
        "dy = np.concatenate([dy, np.roll(dy, -1, axis=0)[:, : taps - 1]], axis=1)",
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
    ("fft_convolution: dx convolved again", "spectrum(kernel).conj()", "spectrum(kernel)"),
    ("fft_convolution: dkernel convolved again", "swapaxes(1, 2)).conj()", "swapaxes(1, 2))"),
    (
        "fft_convolution: the transforms' factors stay in",
        "x.dtype.type(math.sqrt(size))",
        "x.dtype.type(1)",
    ),
    (
        "token_shift: the token before is not seen",
        "else np.array(before, x.dtype)",
        "else 0 * np.array(before, x.dtype)",
    ),
]
