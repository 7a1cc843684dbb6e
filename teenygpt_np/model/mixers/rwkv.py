"""RWKV-6, "Finch": linear attention whose decays are computed from the tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.layers import GroupNorm, Projection
from teenygpt_np.model.mixers.maps import decayed_weights, traced
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator, parameter, uniform

_MIX_RANK, _DECAY_RANK = 8, 16


@dataclass
class RWKVState:
    """S of each head, (B, H, d, d), and the last token that was read, (B, 1, D)."""

    sums: Array
    last: Array


class RWKV(Mixer):
    """y_t = (S_{t-1} + diag(u) k_t v_t^T)^T r_t in each head, S_t = diag(w_t) S_{t-1} + k_t v_t^T.

    The input of w, k, v, r and g is, entry by entry, between x_t and x_{t-1}:
    x_i = x_t + (x_{t-1} - x_t) (mu_i + m_i), m_i = tanh((x_t + (x_{t-1} - x_t) mu_x) W_1,i) W_2,i.
    w = exp(-exp(w_0 + tanh(x_w W_3) W_4)); k, v, r and g are projections of their inputs. Then
    (norm(y) * silu(g)) W_out^T, the norm over each head. All starts as the first layer of RWKV-LM:
    a mixer does not know which layer it is in.

    Raises ValueError for a width that can't be divided into heads.

    Source: Peng et al., Eagle and Finch, 2024, section 4, arXiv:2404.05892.
    """

    knows_order = True
    no_decay: Collection[str] = (
        *[f"time_maa_{name}" for name in ("x", "w", "k", "v", "r", "g", "w1", "w2")],
        *("time_decay", "time_decay_w1", "time_decay_w2", "time_faaaa"),
    )

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        if num_heads < 1 or width % num_heads:
            raise ValueError(f"width {width} can't be divided into {num_heads} heads")
        self.num_heads = num_heads

        def start(shape: tuple[int, ...], formula: Callable[[Array], Array]) -> Tensor:
            """A parameter that starts as a formula of the numbers 0 to D - 1."""
            return parameter(shape, lambda shape: formula(np.arange(width)).reshape(shape), dtype)

        vector, last = (1, 1, width), max(width - 1, 1)
        self.time_maa_x, self.time_maa_w, self.time_maa_k, self.time_maa_v = (
            start(vector, lambda i: 1 - i / width) for _ in range(4)
        )
        self.time_maa_r, self.time_maa_g = (
            start(vector, lambda i: 1 - (i / width) ** 0.5) for _ in range(2)
        )
        self.time_maa_w1 = parameter((width, 5 * _MIX_RANK), np.zeros, dtype)
        self.time_maa_w2 = parameter((5, _MIX_RANK, width), uniform(rng, 0.01), dtype)
        self.time_decay = start(vector, lambda i: -6 + 5 * (i / last) ** 0.7)
        self.time_decay_w1 = parameter((width, _DECAY_RANK), np.zeros, dtype)
        self.time_decay_w2 = parameter((_DECAY_RANK, width), uniform(rng, 0.01), dtype)
        heads = num_heads, width // num_heads
        self.time_faaaa = start(heads, lambda i: 0.1 * ((i + 1) % 3 - 1))
        self.receptance, self.key, self.value, self.gate, self.output = (
            Projection(width, width, rng=rng, dtype=dtype) for _ in range(5)
        )
        self.ln_x = GroupNorm(num_heads, width, 64e-5, dtype=dtype)

    def forward(self, x: Tensor, state: RWKVState | None = None) -> Tensor:
        """Whole sequences; or, given the state, their next positions."""
        B, T, D = x.shape
        before = None if state is None else state.last
        x_w, x_k, x_v, x_r, x_g = self._shifted(x, before)
        w = mg.tanh(x_w @ self.time_decay_w1)
        g = -mg.exp(mg.linear(w, self.time_decay_w2.T, self.time_decay.reshape(D)))
        heads = (
            a.reshape(B, T, self.num_heads, D // self.num_heads).swapaxes(1, 2)
            for a in (self.receptance(x_r), self.key(x_k), self.value(x_v), g)
        )
        sums = None if state is None else state.sums
        y = mg.decayed_attention(*heads, self.time_faaaa, state=sums).swapaxes(1, 2)
        if state is not None:
            state.last = x.data[:, -1:].copy()
        return self.output(self.ln_x(y.reshape(B, T, D)) * mg.silu(self.gate(x_g)))

    def _shifted(self, x: Tensor, before: Array | None) -> list[Tensor]:
        """The inputs of w, k, v, r and g.    before: the token before x, (B, 1, D)"""
        m = mg.tanh(mg.token_shift(x, self.time_maa_x, before=before) @ self.time_maa_w1)
        mus = self.time_maa_w, self.time_maa_k, self.time_maa_v, self.time_maa_r, self.time_maa_g
        parts = zip(mg.split(m, 5, -1), mg.split(self.time_maa_w2, 5), mus, strict=True)
        mixes = (mg.linear(p, w2[0].T, mu.reshape(-1)) for p, w2, mu in parts)
        return [mg.token_shift(x, mix, before=before) for mix in mixes]

    def initial_state(self, batch_size: int) -> RWKVState:
        """Nothing is remembered yet; before the first token there are zeros."""
        heads, head = self.time_faaaa.shape
        dtype = self.time_faaaa.dtype
        return RWKVState(
            np.zeros((batch_size, heads, head, head), dtype),
            np.zeros((batch_size, 1, heads * head), dtype),
        )

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """r_t . k_s times its decay, r_t . u k_t for the token itself; and the gradient of that."""
        inputs, dy = traced(trace, nodes, "decayed_attention")
        weights = decayed_weights(*(inputs[name] for name in "qkgu"))
        return weights[0], np.tril(dy @ inputs["v"].swapaxes(-1, -2))[0]
