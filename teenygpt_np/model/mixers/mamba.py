"""Mamba: a state space whose steps, inputs and outputs depend on the token."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.layers import CausalConvolution, Linear, Projection
from teenygpt_np.model.mixers.maps import decayed_weights, traced
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator, parameter, uniform

_STATES, _TOKENS = 16, 4  # N, the states of a channel, and K, the tokens of the convolution


class MambaState(NamedTuple):
    """The last inputs of the convolution, (B, K - 1, E), and the states, (B, E, N)."""

    conv: Array
    h: Array


class Mamba(Mixer):
    """y = W_out (s * silu(z)), with s the selective scan of x.    (B, T, D) -> (B, T, D)

    [x z] = W_in u, x = silu(conv(x)), each channel by itself; [r B C] = W_x x;
    dt = softplus(W_dt r + b_dt), A = -e^A_log; h = e^(dt A) h + dt B x, s = C h + D x.

    E = 2D channels with N = 16 states each, K = 4, R = D/16 rounded up. Parameters are called and
    started as the authors': b_dt so that dt is log-uniform in 0.001..0.1, A = -1..-N.

    Source: Gu and Dao, Mamba, 2023, algorithm 2 and section 3.6, arXiv:2312.00752.
    """

    knows_order = True
    part = "group of channels"
    no_decay: Collection[str] = ("A_log", "D")

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        channels, rank = 2 * width, math.ceil(width / 16)
        self.groups = math.gcd(channels, num_heads)  # of the maps: as many as others have heads

        def dt_bias(shape: Any) -> Array:
            dt = np.exp(uniform(rng, 0.5 * math.log(100))(shape)) * 0.01  # 0.001..0.1
            return dt + np.log(-np.expm1(-dt))  # softplus of it is dt

        def a_log(shape: Any) -> Array:
            return np.broadcast_to(np.log(np.arange(1, _STATES + 1)), shape)

        self.in_proj = Projection(width, 2 * channels, rng=rng, dtype=dtype)
        self.conv1d = CausalConvolution(
            channels, channels, _TOKENS, groups=channels, rng=rng, dtype=dtype
        )
        self.x_proj = Projection(channels, rank + 2 * _STATES, rng=rng, dtype=dtype)
        self.dt_proj = Linear(rank, channels, rng=rng, dtype=dtype)
        self.dt_proj.bias = parameter((channels,), dt_bias, dtype)
        self.dt_proj.no_decay = ("bias",)
        self.A_log = parameter((channels, _STATES), a_log, dtype)
        self.D = parameter((channels,), np.ones, dtype)
        self.out_proj = Projection(channels, width, rng=rng, dtype=dtype)

    def forward(self, u: Tensor, state: MambaState | None = None) -> Tensor:
        """With a state of what was before: u goes on from there."""
        conv, h = state or (None, None)
        rank = self.dt_proj.weight.shape[1]
        x, z = mg.split(self.in_proj(u), 2, axis=-1)
        x = mg.silu(self.conv1d(x, conv))
        r, B, C = mg.split(self.x_proj(x), [rank, rank + _STATES], axis=-1)
        dt = mg.softplus(self.dt_proj(r))
        y = mg.selective_scan(x, dt, -mg.exp(self.A_log), B, C, self.D, state=h)
        return self.out_proj(y * mg.silu(z))

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """C_t . e^((dt_{s+1} + ... + dt_t) A) dt_s B_s, the weight of x_s in C h of each channel.

        D x, which passes by the state, is left out. Each map is the mean over a group of channels,
        its gradient that of a number added to the weights of all of them.

        Source: Ali, Zimerman and Wolf, The hidden attention of Mamba models, 2024,
        arXiv:2403.01590.
        """
        inputs, dy = traced(trace, nodes, "selective_scan")
        u, dt, A, B, C = (inputs[name] for name in ("u", "dt", "A", "B", "C"))
        dt = dt.swapaxes(1, 2)[..., None]  # (1, E, T, 1)
        k = dt * B[:, None]
        weights = decayed_weights(np.broadcast_to(C[:, None], k.shape), k, dt * A[:, None])[0]
        grads = np.tril(dy[0].T[:, :, None] * u[0].T[:, None])
        shape = (self.groups, -1, *weights.shape[1:])
        return weights.reshape(shape).mean(axis=1), grads.reshape(shape).sum(axis=1)

    def initial_state(self, batch_size: int) -> MambaState:
        """Zeros."""
        h = np.zeros((batch_size, *self.A_log.shape), self.A_log.dtype)
        return MambaState(self.conv1d.initial_state(batch_size), h)
