"""S4D, a structured state space: a convolution as long as the text, or a recurrence."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.layers import GLU, Linear, Sequential
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator, Module, parameter, uniform

_STATES = 16  # N, in pairs of complex conjugates, one of which is enough


class S4DKernel(Module):
    """K[l] = 2 Re sum over n of W_n e^(l dt A_n), W = C (e^(dt A) - 1) / A.    -> (D, T)

    For each of D channels, N/2 modes A_n = -1/2 + i pi n, n = 0, 1, ..., and a step dt, log-uniform
    in 0.001..0.1; C starts complex normal. Complex numbers are held as two real ones.

    Source: Gu et al., On the parameterization and initialization of diagonal state space models,
    2022, S4D-Lin, arXiv:2206.11893.
    """

    no_decay: Collection[str] = ("log_dt", "log_A_real", "A_imag")

    def __init__(self, width: int, *, rng: Generator, dtype: Any = None) -> None:
        def log_dt(shape: Any) -> Array:
            return uniform(rng, 0.5 * math.log(100))(shape) + math.log(0.01)

        def imaginary(shape: Any) -> Array:
            return np.broadcast_to(math.pi * np.arange(shape[1]), shape)

        def normal(shape: Any) -> Array:
            return rng.normal(scale=math.sqrt(0.5), size=shape)

        modes = (width, _STATES // 2)
        self.log_dt = parameter((width,), log_dt, dtype)
        self.log_A_real = parameter(modes, lambda shape: np.full(shape, math.log(0.5)), dtype)
        self.A_imag = parameter(modes, imaginary, dtype)
        self.C = parameter((*modes, 2), normal, dtype)

    def modes(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """dt A and W, each as its real and its imaginary part.    -> (D, N/2) each"""
        dt = mg.exp(self.log_dt)[:, None]
        re, im = -mg.exp(self.log_A_real), self.A_imag
        c_re, c_im = self.C[..., 0], self.C[..., 1]
        size, angle = mg.exp(dt * re), dt * im
        e_re, e_im = size * mg.cos(angle) - 1, size * mg.sin(angle)
        square = re * re + im * im  # (x + iy) / A = (x + iy) (re - i im) / |A|^2
        b_re, b_im = (e_re * re + e_im * im) / square, (e_im * re - e_re * im) / square
        return dt * re, angle, c_re * b_re - c_im * b_im, c_re * b_im + c_im * b_re

    def forward(self, length: int) -> Tensor:
        """K[0..length-1]

        With l = a C + b a mode's e^(l dt A) is e^(a C dt A) e^(b dt A). So K is one product of two
        matrices for each channel, 2 Re (W_n e^(a C dt A_n)) (e^(b dt A_n)), and of l modes only
        about 2 sqrt(l) are computed and kept, with C near sqrt(l).
        """
        re, angle, w_re, w_im = (part[..., None] for part in self.modes())  # (D, N/2, 1)
        size = math.isqrt(length - 1) + 1

        def powers(steps: Array) -> tuple[Tensor, Tensor]:
            growth = mg.exp(re * steps)
            return growth * mg.cos(angle * steps), growth * mg.sin(angle * steps)

        a_re, a_im = powers(size * np.arange(-(-length // size)))
        left = mg.concatenate([w_re * a_re - w_im * a_im, -w_re * a_im - w_im * a_re], 1)
        right = mg.concatenate(powers(np.arange(size)), 1)
        kernel = 2 * mg.matmul(left.swapaxes(1, 2), right)  # (D, l / C, C)
        return kernel.reshape(len(self.log_dt), -1)[:, :length]


class S4(Mixer):
    """y = GLU(W gelu(K * x + D x) + b), K from `S4DKernel`.    (B, T, D) -> (B, T, D)

    The convolution K * x equals a recurrence, with which it goes on from a state: for each mode
    s[t] = e^(dt A) s[t-1] + x[t], (K * x)[t] = 2 Re sum over n of W s[t].

    Source: Gu et al., as above; the layer around it as in the authors' `s4d.py`.
    """

    knows_order = True
    part = "all channels"

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        self.kernel = S4DKernel(width, rng=rng, dtype=dtype)
        self.D = parameter((width,), rng.standard_normal, dtype)
        self.output_linear = Sequential(Linear(width, 2 * width, rng=rng, dtype=dtype), GLU())

    def forward(self, x: Tensor, state: Array | None = None) -> Tensor:
        """With a state, s after the token before: x goes on from there."""
        if state is None:
            y = mg.fft_convolution(x, self.kernel(x.shape[1]))
        else:
            y = Tensor(self._steps(x.data, state))
        return self.output_linear(mg.gelu(y + self.D * x))

    def _steps(self, x: Array, state: Array) -> Array:
        re, angle, w_re, w_im = (part.data for part in self.kernel.modes())
        decay, w, y = np.exp(re + 1j * angle), w_re + 1j * w_im, np.empty_like(x)
        for t in range(x.shape[1]):
            state[...] = decay * state + x[:, t, :, None]
            y[:, t] = 2 * (w * state).sum(axis=-1).real
        return y

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """K[t - s], which depends on the distance alone: the mean over the channels."""
        [node] = [node for node in nodes if node.operation == "fft_convolution"]
        inputs = [edge.source for edge in trace.edges if edge.target == node.id]
        x, kernel = (np.asarray(trace.nodes[i].value) for i in inputs)
        steps = np.arange(x.shape[1])
        weights = np.tril(kernel.mean(axis=0)[steps[:, None] - steps])
        assert node.grad is not None
        return weights[None], np.tril(node.grad[0] @ x[0].T)[None]

    def initial_state(self, batch_size: int) -> Array:
        """s before the first token, 0: (B, D, N/2), complex"""
        modes = self.kernel.A_imag
        return np.zeros((batch_size, *modes.shape), np.result_type(modes.dtype, np.complex64))
