"""Self-attention: each token attends to itself and to all tokens before it, or to all there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor, Trace, TracedNode
from teenygpt_np.model.layers import Linear, turned
from teenygpt_np.model.mixers.maps import traced
from teenygpt_np.model.mixers.mixer import Mixer
from teenygpt_np.model.module import Generator, Module, parameter, uniform


class KeysAndValues:
    """The key/value cache of all positions so far, in arrays that double when they are full."""

    def __init__(self, batch_size: int, num_heads: int, head_width: int, dtype: Any) -> None:
        self._kept = np.empty((2, batch_size, num_heads, 16, head_width), dtype)
        self._length = 0

    def __len__(self) -> int:
        """How many positions there are."""
        return self._length

    def extended(self, k: Array, v: Array) -> Array:
        """Add the next T positions.    k, v: (B, H, T, d) -> of all S so far: (2, B, H, S, d)"""
        start, self._length = self._length, self._length + k.shape[2]
        while self._length > self._kept.shape[3]:
            self._kept = np.concatenate([self._kept, np.empty_like(self._kept)], axis=3)
        self._kept[0, :, :, start : self._length] = k
        self._kept[1, :, :, start : self._length] = v
        return self._kept[:, :, :, : self._length]


class MultiHead(Module):
    """The weights of attention with H heads: W_in (3D, D) for q, k and v, W_out (D, D), and biases.

    W_in starts Xavier-uniform as one matrix, W_out uniform in +-1/sqrt(D), biases at 0.

    Raises ValueError for a width that can't be divided into heads.
    """

    muon: Collection[str] = ("in_proj_weight",)
    part = "head"

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        if num_heads < 1 or width % num_heads:
            raise ValueError(f"width {width} can't be divided into {num_heads} heads")
        self.num_heads = num_heads
        xavier = uniform(rng, math.sqrt(6 / (3 * width + width)))
        self.in_proj_weight = parameter((3 * width, width), xavier, dtype)
        self.in_proj_bias = parameter((3 * width,), np.zeros, dtype)
        self.out_proj = Linear(width, width, rng=rng, dtype=dtype)
        self.out_proj.bias = parameter((width,), np.zeros, dtype)

    def projected(
        self, x: Tensor, which: slice = slice(3), start: int | None = None
    ) -> list[Tensor]:
        """q, k and v of x, or some of them.    (B, T, D) -> each (B, H, T, D/H)

        start: the first position, if q and k are `turned` by theirs
        """
        B, T, D = x.shape
        weights, biases = (mg.split(p, 3)[which] for p in (self.in_proj_weight, self.in_proj_bias))
        # The weights are split, not the product: then backward joins gradients of the size of the
        # weights, which are far smaller than the activations.
        parts = [mg.linear(x, *pair) for pair in zip(weights, biases, strict=True)]
        if start is not None:
            parts[:2] = (turned(part, self.num_heads, start) for part in parts[:2])
        heads = B, T, self.num_heads, D // self.num_heads
        return [part.reshape(*heads).swapaxes(1, 2) for part in parts]

    def joined(self, y: Tensor) -> Tensor:
        """[y_1 ... y_H] W_out^T + b_out.    (B, H, T, D/H) -> (B, T, D)"""
        B, H, T, width = y.shape
        return self.out_proj(y.swapaxes(1, 2).reshape(B, T, H * width))

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """The softmax and its gradient, computed again, since the operation does not keep them.

        -> both (H, T, S), of a trace of one sequence, which has no padding
        """
        causal = any(node.operation == "causal_attention" for node in nodes)
        inputs, dout = traced(trace, nodes, "causal_attention" if causal else "attention")
        q, k, v = (inputs[name] for name in "qkv")
        weights, grads = attention_weights(q, k, v, dout, causal=causal)
        return weights[0], grads[0]


class CausalSelfAttention(MultiHead, Mixer):
    """y = [h_1 ... h_H] W_out^T + b_out, each h = softmax(q k^T / sqrt(D/H), masked) v.

    x: (B, T, D) -> y: (B, T, D).    q, k, v = x W_in^T + b_in, divided into H heads of width D/H.
    masked: each token sees those before it and itself; or, as in an encoder, all of its row.
    rotary: whether q and k are turned by their positions, so that their product depends on the
    distance between them.

    Raises ValueError for a width that can't be divided into heads, of even width if rotary.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2, arXiv:1706.03762.
    """

    attribute = "msha"  # "multi-head self-attention", the article's name
    sees_both_ways = True
    can_turn = True

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        rotary: bool = False,
        rng: Generator,
        dtype: Any = None,
    ) -> None:
        super().__init__(width, num_heads, rng=rng, dtype=dtype)
        self.rotary = rotary
        if rotary and width // num_heads % 2:
            raise ValueError(f"rotary with heads of width {width // num_heads}, wanted an even one")

    def forward(self, x: Tensor, state: Any = None, *, lengths: Array | None = None) -> Tensor:
        """Whole sequences; or, given the state, their next positions.

        lengths: (B); tokens then see each other both ways, the first so many of each row
        """
        start = 0 if state is None else len(state)
        q, k, v = self.projected(x, start=start if self.rotary else None)
        if lengths is None:
            return self.joined(self.attend(q, k, v, state))
        return self.joined(mg.attention(q, k, v, lengths=lengths))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, state: Any) -> Tensor:
        """These positions attend also to those in the state, which then holds both."""
        if state is not None:
            k, v = map(Tensor, state.extended(k.data, v.data))
        return mg.causal_attention(q, k, v)

    def initial_state(self, batch_size: int) -> Any:
        """An empty key/value cache."""
        width, dtype = self.in_proj_weight.shape[1], self.in_proj_weight.dtype
        return KeysAndValues(batch_size, self.num_heads, width // self.num_heads, dtype)

    @classmethod
    def fused_step(
        cls, blocks: Sequence[Any], batch_size: int, num_positions: int
    ) -> Callable[[Array], Array] | None:
        """With Numba, one compiled kernel for all blocks: it takes a tenth of the modules' time."""
        if mg.get_backend() == "numpy":
            return None
        from teenygpt_np.model.mixers.attention_compiled import fused_step

        return fused_step(blocks, batch_size, num_positions)


def attention_weights(
    q: Array, k: Array, v: Array, dout: Array, *, causal: bool = True
) -> tuple[Array, Array]:
    """p = softmax(q k^T / sqrt(d), masked), and dp = dout v^T.    -> both (B, H, T, S)

    q, dout: (B, H, T, d), k, v: (B, H, S, d).    causal: query t sees the keys 0..t only
    """
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    allowed = np.ones(scores.shape[-2:], bool)
    allowed = np.tril(allowed) if causal else allowed
    scores = np.where(allowed, scores, -np.inf)  # NumPy: to compile mg.softmax would take longer
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True), np.where(allowed, dout @ v.swapaxes(-1, -2), 0)
