"""Linear attention: a product in place of the softmax, so that the past is a sum of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.mixers.attention import CausalSelfAttention
from teenygpt_np.model.mixers.maps import decayed_weights, traced
from teenygpt_np.model.mixers.mixer import Mixer

_EPS = 1e-6


class LinearAttention(CausalSelfAttention):
    """y_t = S_t^T f(q_t) / (f(q_t) . z_t + 1e-6) in each head, with f(x) = elu(x) + 1.

    S_t = S_{t-1} + f(k_t) v_t^T, z_t = z_{t-1} + f(k_t): the same as attention whose weights are
    f(q_t) . f(k_s), divided by their sum. Parameters and projections are those of attention.

    Source: Katharopoulos et al., Transformers are RNNs, 2020, equations 7 and 16 to 20,
    arXiv:2006.16236.
    """

    attribute = "mixer"
    sees_both_ways = can_turn = False
    fused_step = Mixer.fused_step  # there is none

    def attend(self, q: Tensor, k: Tensor, v: Tensor, state: Array | None) -> Tensor:
        """(B, H, T, d) -> (B, H, T, d).    A column of ones beside v sums up the denominator."""
        ones = np.ones((*v.shape[:-1], 1))
        sums = mg.decayed_attention(_f(q), _f(k), mg.concatenate([v, ones], -1), 0, state=state)
        y, z = mg.split(sums, [v.shape[-1]], -1)
        return y / (z + _EPS)

    def initial_state(self, batch_size: int) -> Array:
        """S and, in its last column, z.    -> zeros (B, H, d, d + 1)"""
        width, dtype = self.in_proj_weight.shape[1], self.in_proj_weight.dtype
        head = width // self.num_heads
        return np.zeros((batch_size, self.num_heads, head, head + 1), dtype)

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """Each f(q_t) . f(k_s) as a part of its row's sum, and the gradient of that."""
        inputs, _ = traced(trace, nodes, "decayed_attention")
        _, dy = traced(trace, nodes, "divide")
        q, k, v, g = (inputs[name] for name in "qkvg")
        weights = decayed_weights(q, k, g)
        weights /= weights.sum(axis=-1, keepdims=True) + _EPS
        return weights[0], np.tril(dy @ v[..., :-1].swapaxes(-1, -2))[0]


@mg.differentiable
def _f(x: Array, /) -> Any:
    """y = elu(x) + 1 = x + 1 where x > 0, else e^x.    dx = dy e^min(x, 0).    Keeps e^min(x, 0).

    Composed of small operations this took as long as the attention itself.
    """
    slope = np.exp(np.minimum(x, 0))

    def vjp(dy: Array) -> tuple[Array]:
        return (dy * slope,)

    return np.maximum(x, 0) + slope, vjp
