"""TeenyGPT: a decoder transformer over characters.

Shapes: B headlines, T = num_tokens, V = num_token_vals, D = num_emb. Source: the model at the end
of J. Tomczak's article on large language models and generative AI, whose names it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.model.layers import (
    Array,
    Dropout,
    Embedding,
    Generator,
    Linear,
    Module,
    Sequential,
    TransformerBlock,
)
from teenygpt_np.sampling import generate

PAD = 0
_NOT_COUNTED = -100


class TeenyGPT(Module):
    """p(x) = product over t of p(x[t+1] | x[0..t]), for headlines of T tokens.

    num_tokens, num_token_vals, num_emb: T, V, D.    num_neurons: the MLP's width in D.
    num_heads: must divide num_emb.    rng: for the initial weights and for dropout.

    Raises ValueError for sizes that are not positive, or do not divide.
    """

    def __init__(
        self,
        num_tokens: int,
        num_token_vals: int,
        num_emb: int,
        num_neurons: int,
        num_heads: int = 2,
        dropout_prob: float = 0.1,
        num_blocks: int = 10,
        *,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ) -> None:
        sizes = {"num_tokens": num_tokens, "num_token_vals": num_token_vals, "num_emb": num_emb}
        sizes |= {"num_neurons": num_neurons, "num_heads": num_heads, "num_blocks": num_blocks}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} is {size}, wanted at least 1")
        if num_emb % num_heads:
            raise ValueError(f"num_emb {num_emb} can't be divided into num_heads {num_heads}")
        rng = np.random.default_rng(0) if rng is None else rng
        self.num_tokens, self.num_token_vals = num_tokens, num_token_vals
        self.embedding = Embedding(num_token_vals, num_emb, rng=rng, dtype=dtype)
        self.positional_embedding = Embedding(num_tokens, num_emb, rng=rng, dtype=dtype)
        self.dropout = Dropout(dropout_prob, rng=rng)
        self.transformer_blocks = [
            TransformerBlock(num_emb, num_neurons, num_heads, rng=rng, dtype=dtype)
            for _ in range(num_blocks)
        ]
        self.logits = Sequential(Linear(num_emb, num_token_vals, rng=rng, dtype=dtype))

    def _forward(self, x: Array) -> Tensor:
        """Scores of the next token.    x: (B, t) -> (B, t, V)"""
        x = np.asarray(x)
        if x.ndim != 2 or not 1 <= x.shape[1] <= self.num_tokens:
            raise ValueError(f"x has shape {x.shape}, wanted (B, t) with t in 1..{self.num_tokens}")
        positions = np.arange(x.shape[1])
        h = self.dropout(self.embedding(x) + self.positional_embedding(positions))
        for block in self.transformer_blocks:
            h = block(h)
        return self.logits(h)

    def log_probs(self, x: Array, temperature: float = 1.0) -> Tensor:
        """ln p(next token) = log_softmax(scores / temperature).    x: (B, t) ids -> (B, t, V)"""
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}, wanted a number above 0")
        return mg.log_softmax(self._forward(x) / temperature)

    def loss(self, x: Array, reduction: str = "mean", ignore_pads: bool = False) -> Tensor:
        """Negative log-likelihood of tokens 1..t-1, each given all before it, in nats.    x: (B, t)

        reduction: 'none' (B, t-1), 'sum' over everything, or 'mean': nats per headline.
        ignore_pads: count each headline up to and including its first pad, its end mark.
        """
        if reduction not in ("none", "sum", "mean"):
            raise ValueError(f"reduction is {reduction!r}, wanted 'none', 'sum' or 'mean'")
        x = np.asarray(x)
        targets = _next_tokens(x)
        if ignore_pads:
            targets = np.where(counted(x), targets, _NOT_COUNTED)
        losses = mg.cross_entropy(
            self._forward(x[:, :-1]),
            targets,
            reduction="none" if reduction == "none" else "sum",
            ignore_index=_NOT_COUNTED,
        )
        return losses / len(x) if reduction == "mean" else losses

    def top1(self, x: Array, ignore_pads: bool = False) -> Array:
        """The share of the next tokens that the likeliest guess gets right.    x: (B, t) -> (B)"""
        x = np.asarray(x)
        targets = _next_tokens(x)
        with mg.no_grad():
            right = self._forward(x[:, :-1]).data.argmax(axis=2) == targets
        weights = counted(x) if ignore_pads else np.ones_like(right)
        share: Array = (right & weights).sum(axis=1) / weights.sum(axis=1)
        return share

    def sample(
        self,
        batch_size: int = 4,
        temperature: float = 1.0,
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        prompt: Sequence[int] | None = None,
        rng: Generator | None = None,
    ) -> Array:
        """Draw headlines token by token.    -> ids (B, T), only pads after a headline's first pad

        prompt: the ids they begin with, `cls` first; by default `cls` alone, the last token value.
        rng: draws others each time where it is not given. The other settings are those of
        `sampler.choose`. Keys and values are kept between steps; no dropout, whatever the mode.
        """
        ids = np.array([self.num_token_vals - 1] if prompt is None else prompt)
        if len(ids):
            self.embedding(ids)  # raises for what is no id; those that are drawn are ids
        return generate(
            self._next_scores(batch_size),
            ids,
            self.num_tokens,
            batch_size,
            PAD,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            rng=np.random.default_rng() if rng is None else rng,
        )

    def _next_scores(self, batch_size: int) -> Callable[[Array], Array]:
        """A function from the next id of each (B) to the scores (B, V) of the token after it."""
        tokens, positions = self.embedding.weight.data, self.positional_embedding.weight.data
        weight, bias = (p.data for p in self.logits.parameters())
        decoder = mg.Decoder(
            [[p.data for p in block.parameters()] for block in self.transformer_blocks],
            self.transformer_blocks[0].msha.num_heads,
            batch_size,
            self.num_tokens,
        )

        def next_scores(ids: Array) -> Array:
            h = tokens.take(ids, axis=0) + positions[decoder.position]
            scores: Array = np.dot(decoder.step(h), weight.T) + bias  # @ takes twice as long
            return scores

        return next_scores


def counted(x: Array) -> Array:
    """Which next tokens count where pads do not: all up to and including the first pad.

    x: (B, t) -> bool (B, t-1)
    """
    is_pad = x[:, 1:] == PAD
    earlier_pads = is_pad.cumsum(axis=1) - is_pad
    result: Array = earlier_pads == 0
    return result


def _next_tokens(x: Array) -> Array:
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"x has shape {x.shape}, wanted (B, t) with t at least 2")
    return x[:, 1:]
