"""Convolutions along the tokens: each result is a weighted sum over the last tokens' inputs."""

from __future__ import annotations

import math

import numpy as np

from minigrad import kernels
from minigrad.differentiable import differentiable
from minigrad.ops.rows import state_before


@differentiable
def causal_convolution(x, weight, bias, /, *, state=None):
    """y[t] = bias + sum over k of weight[..., k] x[t - K + 1 + k]: the last tap meets x[t].

    x: (B, T, I), weight: (O, I, K), bias: (O) -> y: (B, T, O); or, each channel by itself,
    weight: (I, 1, K), bias: (I) -> y: (B, T, I)

    dx[t] = sum of weight[..., k] dy[t + K - 1 - k], dbias = sum(dy),
    dweight[..., k] = sum of dy[t] x[t - K + 1 + k].

    Keeps weight, and the input with what stands before it.

    state: (B, K - 1, I), the inputs before x[0]; 0 where it is not given. It has no gradient. The
        last K - 1 inputs are written into it, so that a sequence can be given in parts.
    """
    if not (
        x.ndim == weight.ndim == 3
        and (weight.shape[1] == x.shape[2] or weight.shape[:2] == (x.shape[2], 1))
        and bias.shape == weight.shape[:1]
        and 0 not in (x.shape[1], *weight.shape)
    ):
        raise ValueError(
            f"causal_convolution of x {x.shape}, weight {weight.shape}, bias {bias.shape}: "
            "wanted (B, T, I), (O, I, K) or (I, 1, K), (O), all but B at least 1"
        )
    channels, taps = x.shape[2], weight.shape[2]
    first = (len(x), taps - 1, channels)
    padded = np.concatenate([state_before("causal_convolution", state, first, x.dtype), x], axis=1)
    if state is not None:
        state[...] = padded[:, x.shape[1] :]
    if weight.shape[1] == channels:
        return _dense(padded, weight, bias)
    columns = weight[:, 0].T

    def vjp(dy):
        dpadded, dcolumns, dbias = kernels.depthwise_convolution_vjp(dy, padded, columns)
        return dpadded[:, taps - 1 :], dcolumns.T[:, np.newaxis], dbias

    return kernels.depthwise_convolution(padded, columns, bias), vjp


def _dense(padded, weight, bias):
    """As one product: row t of its left side has the K inputs that y[t] is made of, in turn.

    dx is such a product too, of dy with K - 1 zeros behind it, and the taps in the other order.
    """
    outputs, channels, taps = weight.shape
    matrix = weight.swapaxes(1, 2).reshape(outputs, taps * channels)
    length = padded.shape[1] - taps + 1

    def vjp(dy):
        dy = np.concatenate([dy, np.zeros((len(dy), taps - 1, outputs), dy.dtype)], axis=1)
        back = weight.transpose(1, 2, 0)[:, ::-1].reshape(channels, taps * outputs)
        dx = kernels.matmul(_windows(dy, taps), back.T)
        inputs = _windows(padded, taps)
        of_rows = dy.reshape(-1, outputs)[: len(inputs)]  # 0 for those of two sequences
        dmatrix = kernels.matmul(of_rows.T, inputs)
        dweight = dmatrix.reshape(outputs, taps, channels).swapaxes(1, 2)
        return _of_one_sequence(dx, len(dy), length), dweight, of_rows.sum(axis=0)

    y = kernels.matmul(_windows(padded, taps), matrix.T)
    y += bias
    return _of_one_sequence(y, len(padded), length), vjp


def _windows(x, taps):
    """A row for each token but the last: it and the next, `taps` in all.    A view, not a copy.

    (B, T, I) -> (B T - taps + 1, taps I).    So `taps` - 1 rows have tokens of two sequences.
    """
    flat = np.ascontiguousarray(x).reshape(-1, x.shape[2])
    shape = max(len(flat) - taps + 1, 0), taps * x.shape[2]
    return np.lib.stride_tricks.as_strided(flat, shape, flat.strides)


def _of_one_sequence(rows, batch, length):
    """Those rows of a product with `_windows` that do not mix two sequences.    -> (B, T, O)"""
    step, entry = rows.strides
    apart = (len(rows) - length) // max(batch - 1, 1)
    shape = batch, length, rows.shape[1]
    return np.lib.stride_tricks.as_strided(rows, shape, (apart * step, step, entry))


@differentiable
def token_shift(x, mix, /, *, before=None):
    """y[t] = x[t] + (x[t-1] - x[t]) mix[t]: between a token and the one before it.

    x: (B, T, D), mix: (B, T, D), or 1 for some of these -> y: (B, T, D)

    dx[t] = dy[t] (1 - mix[t]) + dy[t+1] mix[t+1], dmix[t] = dy[t] (x[t-1] - x[t]).

    Keeps x and mix.

    before: (B, 1, D), the token before x[0]; 0 where it is not given. It has no gradient.

    Source: Peng et al., Eagle and Finch, 2024, section 4.1, arXiv:2404.05892.
    """
    if not x.ndim == mix.ndim == 3 or not all(
        n in (1, N) for n, N in zip(mix.shape, x.shape, strict=True)
    ):
        raise ValueError(
            f"token_shift of x {x.shape}, mix {mix.shape}: wanted (B, T, D), and this or 1 for each"
        )
    shape = len(x), 1, x.shape[2]
    before = np.zeros(shape, x.dtype) if before is None else np.array(before, x.dtype)
    if before.shape != shape:
        raise ValueError(f"token_shift has a token before of {before.shape}, wanted {shape}")
    if mix.shape != x.shape:
        mix = np.broadcast_to(mix, x.shape)

    def vjp(dy):
        return kernels.token_shift_vjp(dy, x, before, mix)

    return kernels.token_shift(x, before, mix), vjp


@differentiable
def fft_convolution(x, kernel, /):
    """y[t] = sum over s of kernel[s] x[t - s], 0 before x[0]: each channel by itself, all tokens.

    x: (B, T, D), kernel: (D, T) -> y: (B, T, D)

    dx[t] = sum over s of kernel[s] dy[t + s], dkernel[s] = sum over t of dy[t] x[t - s].

    Keeps x and kernel.

    In O(T log T), by products of the Fourier transforms of 2T numbers or a few more, all but T of
    them zeros: with fewer, the end of a sequence would be seen at its beginning. The transforms are
    NumPy's on both backends, which has a compiled library for them. A rounding error is one of a
    channel's largest entries, wherever they stand: one of 1e6 leaves all others 0.1 off.

    Source: Gu et al., Efficiently modeling long sequences with structured state spaces, 2021,
    arXiv:2111.00396.
    """
    if not (x.ndim == 3 and kernel.shape == x.shape[:0:-1] and x.shape[1] > 0):
        raise ValueError(
            f"fft_convolution of x {x.shape}, kernel {kernel.shape}: "
            "wanted (B, T, D), (D, T), T at least 1"
        )
    length = x.shape[1]
    size = _quick_size(2 * length)

    def spectrum(channels):
        """(..., D, T) -> (..., D, size / 2 + 1), over sqrt(size)"""
        padded = np.zeros((*channels.shape[:-1], size), channels.dtype)
        padded[..., :length] = channels
        return np.fft.rfft(padded, norm="ortho")

    def signal(spectrum):
        """The first T numbers of each channel, times sqrt(size)."""
        return np.fft.irfft(spectrum, size, norm="ortho")[..., :length] * scale

    def vjp(dy):
        back = spectrum(dy.swapaxes(1, 2))
        return (
            lambda: signal(back * spectrum(kernel).conj()).swapaxes(1, 2),
            lambda: signal((back * spectrum(x.swapaxes(1, 2)).conj()).sum(axis=0)),
        )

    # NumPy transforms float32 as float64, three times as slowly, unless `norm` has it scale.
    scale = x.dtype.type(math.sqrt(size))
    return signal(spectrum(x.swapaxes(1, 2)) * spectrum(kernel)).swapaxes(1, 2), vjp


def _quick_size(least):
    """The first n >= least without a prime factor above 5: 122 takes twice as long as 125."""
    n = least
    while pow(30, n.bit_length(), n):  # n divides this power if it has no other factors
        n += 1
    return n
