"""Layers: parameters, and what they do to activations.

Shapes: B batch, T tokens, D width, H heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeAlias

import numpy as np

import minigrad as mg
from minigrad import Tensor

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Generator: TypeAlias = np.random.Generator


class Module:
    """Something with parameters: its Tensors, and those of its Modules and lists of Modules.

    A parameter's name is the path of attribute names and list positions that leads to it.
    """

    training = True
    forward: Callable[..., Tensor]

    def __call__(self, *inputs: Any) -> Tensor:
        """`forward`, which each kind of Module defines, in the module's own scope of a trace."""
        with mg.scope(self):
            return self.forward(*inputs)

    def _children(self) -> Iterator[tuple[str, Module]]:
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list):
                yield from ((f"{name}.{i}", m) for i, m in enumerate(value))

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """(name, parameter), in the order in which they were made."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                yield prefix + name, value
        for name, child in self._children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(name, module) of all that are in this one, each before those in it."""
        for name, child in self._children():
            yield prefix + name, child
            yield from child.named_modules(f"{prefix}{name}.")

    def parameters(self) -> list[Tensor]:
        """All parameters, in the order of their names in `named_parameters`."""
        return [parameter for _, parameter in self.named_parameters()]

    def num_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.size for parameter in self.parameters())

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Training mode: dropout drops. Returns the module itself."""
        self.training = mode
        for _, child in self._children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Evaluation mode: dropout does nothing. Returns the module itself."""
        return self.train(False)

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter, by name."""
        return {name: parameter.numpy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over every parameter, by name; all or, where something does not fit, none.

        Raises ValueError naming what is missing, unknown or of another shape.
        """
        parameters = dict(self.named_parameters())
        missing, unknown = parameters.keys() - state.keys(), state.keys() - parameters.keys()
        if missing or unknown:
            raise ValueError(f"missing: {sorted(missing)}, unknown: {sorted(unknown)}")
        arrays = {name: np.asarray(state[name]) for name in parameters}
        for name, parameter in parameters.items():
            if arrays[name].shape != parameter.shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, wanted {parameter.shape}")
            if arrays[name].dtype.kind not in "biuf":
                raise ValueError(f"{name} holds {arrays[name].dtype}, wanted real numbers")
        for name, parameter in parameters.items():
            parameter.data = arrays[name]


class Sequential(Module):
    """One layer after the other; a layer's name is its position."""

    def __init__(self, *layers: Any) -> None:
        self.layers = layers

    def _children(self) -> Iterator[tuple[str, Module]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class GELU(Module):
    """y = x P(Z <= x), Z standard normal."""

    def forward(self, x: Tensor) -> Tensor:
        return mg.gelu(x)


class Linear(Module):
    """y = x W^T + b.    x: (..., I), W: (O, I), b: (O) -> y: (..., O)

    Both start uniform in +-1/sqrt(I).
    """

    def __init__(self, inputs: int, outputs: int, *, rng: Generator, dtype: Any = None) -> None:
        bound = 1 / math.sqrt(inputs)
        self.weight = _uniform(rng, bound, (outputs, inputs), dtype)
        self.bias = _uniform(rng, bound, (outputs,), dtype)

    def forward(self, x: Tensor) -> Tensor:
        return mg.linear(x, self.weight, self.bias)


class Embedding(Module):
    """y = W[ids].    ids: (...), W: (V, D) -> y: (..., D).    W starts standard normal."""

    def __init__(self, rows: int, width: int, *, rng: Generator, dtype: Any = None) -> None:
        self.weight = _parameter(rng.standard_normal((rows, width)), dtype)

    def forward(self, ids: Array) -> Tensor:
        return mg.embedding(ids, self.weight)


class LayerNorm(Module):
    """y = w (x - mean) / sqrt(var + eps) + b over the last axis.    w starts at 1, b at 0."""

    def __init__(self, width: int, eps: float = 1e-5, *, dtype: Any = None) -> None:
        self.weight = _parameter(np.ones(width), dtype)
        self.bias = _parameter(np.zeros(width), dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return mg.layer_norm(x, self.weight, self.bias, self.eps)


class Dropout(Module):
    """In training each entry is 0 with probability p, the others are scaled by 1/(1 - p)."""

    def __init__(self, p: float, *, rng: Generator) -> None:
        self.p, self.rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        return mg.dropout(x, self.p, rng=self.rng, training=self.training)


class MLP(Sequential):
    """Linear(D -> H), GELU, Linear(H -> D), computed as one operation that never holds (B T, H)."""

    def __init__(self, width: int, hidden: int, *, rng: Generator, dtype: Any = None) -> None:
        first = Linear(width, hidden, rng=rng, dtype=dtype)
        last = Linear(hidden, width, rng=rng, dtype=dtype)
        super().__init__(first, GELU(), last)

    def forward(self, x: Tensor) -> Tensor:
        first, _, last = self.layers
        return mg.mlp(x, first.weight, first.bias, last.weight, last.bias)


class CausalSelfAttention(Module):
    """Multi-head attention to oneself and what came before.    (B, T, D) -> (B, T, D)

    q, k, v = x W_in^T + b_in, in H heads of width D/H; softmax(q k^T / sqrt(D/H)) v; W_out, b_out.
    W_in (3D, D) starts Xavier-uniform as a whole, W_out uniform in +-1/sqrt(D), both biases at 0.
    """

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        if num_heads < 1 or width % num_heads:
            raise ValueError(f"width {width} can't be divided into {num_heads} heads")
        self.num_heads = num_heads
        bound = math.sqrt(6 / (3 * width + width))
        self.in_proj_weight = _uniform(rng, bound, (3 * width, width), dtype)
        self.in_proj_bias = _parameter(np.zeros(3 * width), dtype)
        self.out_proj = Linear(width, width, rng=rng, dtype=dtype)
        self.out_proj.bias.data = np.zeros(width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        weights, biases = (mg.split(p, 3) for p in (self.in_proj_weight, self.in_proj_bias))
        # Splitting the weights rather than the product: backward then puts the parts together in
        # arrays of the weights' size, which are far smaller than the activations.
        q, k, v = (
            mg.linear(x, weight, bias).reshape(B, T, self.num_heads, -1).swapaxes(1, 2)
            for weight, bias in zip(weights, biases, strict=True)
        )  # each (B, H, T, D/H)
        y = mg.causal_attention(q, k, v)
        return self.out_proj(y.swapaxes(1, 2).reshape(B, T, D))


class TransformerBlock(Module):
    """x = LayerNorm(x + SelfAttention(x)), then x = LayerNorm(x + MLP(x)): post-norm, as at first.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.1.
    """

    def __init__(
        self, width: int, num_neurons: int, num_heads: int, *, rng: Generator, dtype: Any = None
    ) -> None:
        self.msha = CausalSelfAttention(width, num_heads, rng=rng, dtype=dtype)
        self.layer_norm1 = LayerNorm(width, dtype=dtype)
        self.mlp = MLP(width, num_neurons * width, rng=rng, dtype=dtype)
        self.layer_norm2 = LayerNorm(width, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer_norm1(x + self.msha(x))
        return self.layer_norm2(x + self.mlp(x))


def _parameter(values: Array, dtype: Any) -> Tensor:
    return Tensor(values.astype(dtype or np.float32), requires_grad=True)


def _uniform(rng: Generator, bound: float, shape: tuple[int, ...], dtype: Any) -> Tensor:
    return _parameter(rng.uniform(-bound, bound, shape), dtype)
