"""Layers: parameters, and what is computed with them.

Shapes: B batch, T tokens, D width, H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.model.module import Generator, Module, parameter, uniform


class Sequential(Module):
    """Apply layers one after the other; a layer's name is its position."""

    def __init__(self, *layers: Any) -> None:
        self.layers = layers

    def _held(self) -> Iterator[tuple[str, Module]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class GELU(Module):
    """y = x P(Z <= x), Z standard normal.    x, y: of the same shape

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, arXiv:1606.08415.
    """

    def forward(self, x: Tensor) -> Tensor:
        return mg.gelu(x)


class GLU(Module):
    """y = a sigmoid(b), with a the first and b the second half of x.    (..., 2D) -> (..., D)

    Source: Dauphin et al., Language modeling with gated convolutional networks, 2016,
    arXiv:1612.08083.
    """

    def forward(self, x: Tensor) -> Tensor:
        return mg.glu(x)


class Linear(Module):
    """y = x W^T + b.    x: (..., I), W: (O, I), b: (O) -> y: (..., O)

    W and b start uniform in +-1/sqrt(I).
    """

    muon: Collection[str] = ("weight",)

    def __init__(self, inputs: int, outputs: int, *, rng: Generator, dtype: Any = None) -> None:
        start = uniform(rng, 1 / math.sqrt(inputs))
        self.weight = parameter((outputs, inputs), start, dtype)
        self.bias = parameter((outputs,), start, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return mg.linear(x, self.weight, self.bias)


class Projection(Module):
    """y = x W^T, a Linear without a bias.    x: (..., I), W: (O, I) -> y: (..., O)

    W starts uniform in +-1/sqrt(I).
    """

    muon: Collection[str] = ("weight",)

    def __init__(self, inputs: int, outputs: int, *, rng: Generator, dtype: Any = None) -> None:
        self.weight = parameter((outputs, inputs), uniform(rng, 1 / math.sqrt(inputs)), dtype)

    def forward(self, x: Tensor) -> Tensor:
        return mg.linear(x, self.weight, np.zeros(len(self.weight), self.weight.dtype))


class CausalConvolution(Module):
    """y[t] = b + sum over k of W[..., k] x[t - K + 1 + k].    (B, T, I) -> (B, T, O)

    W: (O, I / groups, K), b: (O), called and started as torch.nn.Conv1d's: uniform in
    +-1/sqrt(K I / groups).    groups: 1, or I = O for a convolution of each channel by itself

    The state is the K - 1 inputs before x, (B, K - 1, I).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        *,
        groups: int = 1,
        rng: Generator,
        dtype: Any = None,
    ) -> None:
        taps = (inputs // groups, kernel_size)
        start = uniform(rng, 1 / math.sqrt(math.prod(taps)))
        self.inputs = inputs
        self.weight = parameter((outputs, *taps), start, dtype)
        self.bias = parameter((outputs,), start, dtype)

    def forward(self, x: Tensor, state: Array | None = None) -> Tensor:
        return mg.causal_convolution(x, self.weight, self.bias, state=state)

    def initial_state(self, batch_size: int) -> Array:
        """Zeros: there is nothing before the first token."""
        size = batch_size, self.weight.shape[2] - 1, self.inputs
        return np.zeros(size, self.weight.dtype)


class Embedding(Module):
    """y = W[ids].    ids: (...), W: (V, D) -> y: (..., D).    W starts standard normal.

    start: a function from the shape of W to what W starts as instead
    """

    def __init__(
        self,
        rows: int,
        width: int,
        *,
        rng: Generator,
        dtype: Any = None,
        start: Callable[[tuple[int, ...]], Array] | None = None,
    ) -> None:
        self.weight = parameter((rows, width), start or rng.standard_normal, dtype)

    def forward(self, ids: Array) -> Tensor:
        return mg.embedding(ids, self.weight)


def waves(shape: tuple[int, ...]) -> Array:
    """sqrt(2) sin(a_i t) and sqrt(2) cos(a_i t), one after the other, for position t.    -> (T, D)

    a_i goes from 1 to 1/1000 in equal factors. Neighbouring positions are alike, and the vector of
    one is that of the one before, turned by the same angles wherever it is: attention need not find
    that out. The mean square is 1, as of standard normal numbers.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.5, arXiv:1706.03762.
    """
    T, D = shape
    angles = np.outer(np.arange(T), 1000.0 ** -np.linspace(0, 1, -(-D // 2)))
    return math.sqrt(2) * np.stack([np.sin(angles), np.cos(angles)], -1).reshape(T, -1)[:, :D]


def turned(x: Tensor, num_heads: int, start: int = 0) -> Tensor:
    """Each pair of entries (2i, 2i + 1) of a head turned by t a_i.    x: (B, T, D) -> (B, T, D)

    a_i goes from 1 to 1/10000 in equal factors. start: the t of the first position

    Source: Su et al., RoFormer, 2021, section 3.2, arXiv:2104.09864.
    """
    _, T, D = x.shape
    angles = angles_of(np.arange(start, start + T), D // num_heads)
    return mg.rotary(x, np.tile(angles, num_heads))


def angles_of(positions: Array, width: int) -> Array:
    """t a_i of `turned` for a head of this width.    (T) -> (T, width / 2)"""
    return np.outer(positions, 10000.0 ** -np.linspace(0, 1, width // 2))


class LayerNorm(Module):
    """y = w (x - mean) / sqrt(var + eps) + b over the last axis.    w starts at 1, b at 0.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016, arXiv:1607.06450.
    """

    def __init__(self, width: int, eps: float = 1e-5, *, dtype: Any = None) -> None:
        self.weight = parameter((width,), np.ones, dtype)
        self.bias = parameter((width,), np.zeros, dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return mg.layer_norm(x, self.weight, self.bias, self.eps)


class GroupNorm(Module):
    """y = w (x - mean) / sqrt(var + eps) + b, mean and var over each of the last axis' groups.

    x: (..., D) -> y: (..., D); w, b: (D), which start at 1 and 0.

    Source: Wu and He, Group Normalization, 2018, arXiv:1803.08494.
    """

    def __init__(self, groups: int, width: int, eps: float = 1e-5, *, dtype: Any = None) -> None:
        self.weight = parameter((width,), np.ones, dtype)
        self.bias = parameter((width,), np.zeros, dtype)
        self.groups, self.eps = groups, eps

    def forward(self, x: Tensor) -> Tensor:
        groups = self.groups, x.shape[-1] // self.groups
        weight, bias = self.weight.reshape(groups), self.bias.reshape(groups)
        y = mg.layer_norm(x.reshape(*x.shape[:-1], *groups), weight, bias, self.eps)
        return y.reshape(x.shape)


class Dropout(Module):
    """In training each entry is 0 with probability p, the others are scaled by 1/(1 - p).

    In evaluation y = x. Source: Srivastava et al., Dropout, Journal of Machine Learning Research
    15, 2014.
    """

    def __init__(self, p: float, *, rng: Generator) -> None:
        self.p, self.rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        return mg.dropout(x, self.p, rng=self.rng, training=self.training)


class MLP(Sequential):
    """Linear(D -> H), GELU, Linear(H -> D), as one operation that never holds all of (B T, H)."""

    def __init__(self, width: int, hidden: int, *, rng: Generator, dtype: Any = None) -> None:
        first = Linear(width, hidden, rng=rng, dtype=dtype)
        last = Linear(hidden, width, rng=rng, dtype=dtype)
        super().__init__(first, GELU(), last)

    def forward(self, x: Tensor) -> Tensor:
        first, _, last = self.layers
        return mg.mlp(x, first.weight, first.bias, last.weight, last.bias)


@dataclass(frozen=True)
class Routing:
    """Where the router of E experts sent N tokens.

    load: f, (E), the share of the tokens that went to each expert
    imbalance: E sum of f P, with P the mean over the tokens of softmax(scores): k where the experts
        have equal shares, up to E where all goes to one. Its gradient flows through P alone.
    """

    load: Array
    imbalance: Tensor


class Experts(Module):
    """y = sum over i of w_i MLP_i(x), i the k experts with the largest scores W_r x of this token.

    x, y: (B, T, D), W_r: (E, D).    w: for k = 1 the softmax over all E scores, at i; otherwise the
    softmax over the k largest. The router learns through w, as the choice has no gradient.

    No expert's room is limited, so no token is dropped, and none depends on what the others choose.
    An expert that no token has chosen gets no gradient, and so takes no step: Muon would move it as
    far as all others, by its momentum.

    routing: of the last x in training mode, for the loss; None if x had no token

    Source: Fedus, Zoph and Shazeer, Switch Transformers, 2021, arXiv:2101.03961, equations 1, 2 and
    4 (k = 1); Jiang et al., Mixtral of Experts, 2024, arXiv:2401.04088, section 2.1 (k > 1).
    """

    routing: Routing | None = None

    def __init__(
        self,
        width: int,
        hidden: int,
        num_experts: int,
        num_active: int,
        *,
        rng: Generator,
        dtype: Any = None,
    ) -> None:
        if not 1 <= num_active <= num_experts:
            raise ValueError(f"num_active is {num_active}, wanted 1..num_experts, {num_experts}")
        self.num_active = num_active
        self.router = Projection(width, num_experts, rng=rng, dtype=dtype)
        self.router.muon = ()  # a classifier, as the output layer
        self.experts = [MLP(width, hidden, rng=rng, dtype=dtype) for _ in range(num_experts)]

    def forward(self, x: Tensor) -> Tensor:
        if x.size == 0:
            self.routing = None
            return x
        rows = x.reshape(-1, x.shape[-1])
        scores = self.router(rows)
        p = mg.softmax(scores)
        chosen = np.argsort(-scores.data, axis=1, kind="stable")[:, : self.num_active]
        weights = p[np.arange(len(chosen))[:, None], chosen]
        if self.num_active > 1:
            weights = weights / weights.sum(axis=1, keepdims=True)
        counts = np.bincount(chosen.ravel(), minlength=len(self.experts))
        if self.training:
            load = counts / len(chosen)
            self.routing = Routing(load, (p.mean(axis=0) * load).sum() * len(load))
        order = np.argsort(chosen, axis=None, kind="stable")  # of all choices, expert by expert
        tokens = np.split(order // self.num_active, np.cumsum(counts)[:-1])
        # embedding(ids, rows) is rows[ids], with a faster way back.
        outputs = mg.concatenate(
            [
                expert(mg.embedding(ids, rows))
                for expert, ids in zip(self.experts, tokens, strict=True)
                if len(ids)
            ]
        )
        places = np.argsort(order).reshape(chosen.shape)  # where each choice's output stands
        y = (mg.embedding(places, outputs) * mg.expand_dims(weights, 2)).sum(axis=1)
        return y.reshape(x.shape)


def routings(model: Module) -> dict[str, Routing]:
    """What the last x in training mode was routed to, by the names of the layers of experts."""
    return {
        name: module.routing
        for name, module in model.named_modules()
        if isinstance(module, Experts) and module.routing
    }
