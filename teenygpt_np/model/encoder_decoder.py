"""Encoder and decoder: a transformer that reads a source both ways, and writes its target.

Shapes: B pairs of a batch, S tokens of a source, t of a target, V = num_token_vals, D = num_emb, H
heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.model.block import Block
from teenygpt_np.model.layers import MLP, Dropout, Embedding, LayerNorm, Linear, Sequential
from teenygpt_np.model.mixers.attention import CausalSelfAttention, KeysAndValues, MultiHead
from teenygpt_np.model.module import Generator, Module, check_sizes
from teenygpt_np.sampling import draw, gathered

_NOT_COUNTED = -100  # as a target: this token does not count in the loss


@dataclass(frozen=True)
class Memory:
    """What the decoder's blocks see of the sources.

    keys, values: for each block (B, H, S, D/H).    lengths: (B), the tokens of each source
    """

    keys: list[Tensor]
    values: list[Tensor]
    lengths: Array


@dataclass
class State:
    """How many positions of the targets were written, and each block's keys and values of them."""

    position: int
    blocks: list[KeysAndValues]


class CrossAttention(MultiHead):
    """y = [h_1 ... h_H] W_out^T + b_out, each h = softmax(q k^T / sqrt(D/H), masked) v.

    x: (B, t, D) -> y: (B, t, D).    q of x; k and v (B, H, S, D/H) of the source, of which each
    token sees all.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.3, arXiv:1706.03762.
    """

    def forward(self, x: Tensor, k: Tensor, v: Tensor, lengths: Array) -> Tensor:
        """lengths: (B), the tokens of each source; those behind them are padding"""
        [q] = self.projected(x, slice(0, 1))
        return self.joined(mg.attention(q, k, v, lengths=lengths))

    def keys_and_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """k and v of a source that is encoded.    (B, S, D) -> (B, H, S, D/H) twice"""
        k, v = self.projected(memory, slice(1, 3))
        return k, v


class DecoderBlock(Module):
    """x = LayerNorm(x + msha(x)), then with cross-attention, then with the MLP in its place.

    x: (B, t, D) -> (B, t, D).    This is the post-norm block of the first transformer's decoder;
    cross-attention has the name that it has in torch.nn.TransformerDecoderLayer.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.1, arXiv:1706.03762.
    """

    def __init__(
        self, width: int, num_heads: int, hidden: int, *, rng: Generator, dtype: Any = None
    ) -> None:
        self.msha = CausalSelfAttention(width, num_heads, rng=rng, dtype=dtype)
        self.layer_norm1 = LayerNorm(width, dtype=dtype)
        self.multihead_attn = CrossAttention(width, num_heads, rng=rng, dtype=dtype)
        self.layer_norm2 = LayerNorm(width, dtype=dtype)
        self.mlp = MLP(width, hidden, rng=rng, dtype=dtype)
        self.layer_norm3 = LayerNorm(width, dtype=dtype)

    def seen(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """k and v of a source that is encoded: computed once, in the scope of who sees them."""
        with mg.scope(self), mg.scope(self.multihead_attn):
            return self.multihead_attn.keys_and_values(memory)

    def forward(
        self, x: Tensor, k: Tensor, v: Tensor, lengths: Array, state: KeysAndValues | None = None
    ) -> Tensor:
        """Whole targets, or, given the state, their next positions.    k, v, lengths: the source"""
        x = self.layer_norm1(x + self.msha(x, state))
        x = self.layer_norm2(x + self.multihead_attn(x, k, v, lengths))
        return self.layer_norm3(x + self.mlp(x))


class EncoderDecoder(Module):
    """p(y | x) = product over t of p(y[t+1] | y[0..t], x), for a source x and its target y.

    The encoder's blocks see all of the source. The decoder's see the target so far and what the
    last block of the encoder made of the source. Both have the same embeddings.

    num_tokens, num_token_vals, num_emb: T, the most of S and of t, V, D.    num_neurons: the MLP's
    width / D.    num_heads: must divide num_emb.    num_blocks: in each of the two
    rng: for the initial weights and for dropout

    Raises ValueError for a size below 1, or a num_emb that num_heads does not divide.
    """

    def __init__(
        self,
        num_tokens: int,
        num_token_vals: int,
        num_emb: int,
        num_neurons: int,
        num_heads: int = 2,
        dropout_prob: float = 0.1,
        num_blocks: int = 2,
        *,
        rng: Generator | None = None,
        dtype: Any = np.float32,
    ) -> None:
        check_sizes(
            num_tokens=num_tokens,
            num_token_vals=num_token_vals,
            num_emb=num_emb,
            num_neurons=num_neurons,
            num_heads=num_heads,
            num_blocks=num_blocks,
        )
        rng = np.random.default_rng(0) if rng is None else rng
        self.num_tokens, self.num_token_vals = num_tokens, num_token_vals
        made: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.embedding = Embedding(num_token_vals, num_emb, **made)
        self.positional_embedding = Embedding(num_tokens, num_emb, **made)
        self.dropout = Dropout(dropout_prob, rng=rng)
        hidden = num_neurons * num_emb
        self.encoder_blocks = [
            Block(
                CausalSelfAttention(num_emb, num_heads, **made),
                MLP(num_emb, hidden, **made),
                num_emb,
                dtype=dtype,
            )
            for _ in range(num_blocks)
        ]
        self.decoder_blocks = [
            DecoderBlock(num_emb, num_heads, hidden, **made) for _ in range(num_blocks)
        ]
        output = Linear(num_emb, num_token_vals, **made)
        output.muon = ()  # not a hidden layer: AdamW trains it better
        self.logits = Sequential(output)

    @property
    def most_tokens(self) -> int:
        """T: how many tokens can be read, and how many written."""
        return self.num_tokens

    def forward(self, source: Array, lengths: Array, target: Array) -> Tensor:
        """Logits of each target's next token.    source: (B, S), target: (B, t) -> (B, t, V)

        lengths: (B), the tokens of each source; those behind them are padding, and change nothing

        Raises ValueError for no tokens or more than T, IndexError for an id outside 0..V-1.
        """
        return self.decoded(target, self.encoded(source, lengths))

    def encoded(self, source: Array, lengths: Array) -> Memory:
        """What the decoder sees of the sources. The settings are those of `forward`."""
        h = self._embedded(source, 0)
        for block in self.encoder_blocks:
            h = block(h, lengths=lengths)
        seen = [block.seen(h) for block in self.decoder_blocks]
        return Memory([k for k, _ in seen], [v for _, v in seen], lengths)

    def decoded(self, target: Array, memory: Memory, state: State | None = None) -> Tensor:
        """Logits of each target's next token.    target: (B, t) -> (B, t, V)

        state: what was written before `target`; it is changed in place
        """
        h = self._embedded(target, 0 if state is None else state.position)
        for i, block in enumerate(self.decoder_blocks):
            before = None if state is None else state.blocks[i]
            h = block(h, memory.keys[i], memory.values[i], memory.lengths, before)
        if state is not None:
            state.position += h.shape[1]
        return self.logits(h)

    def _embedded(self, ids: Array, start: int) -> Tensor:
        ids = np.asarray(ids)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.num_tokens - start:
            raise ValueError(
                f"ids have shape {ids.shape}, wanted (B, t) with t in 1..{self.num_tokens - start}"
            )
        positions = np.arange(start, start + ids.shape[1])
        return self.dropout(self.embedding(ids) + self.positional_embedding(positions))

    def loss(
        self,
        source: Array,
        lengths: Array,
        target: Array,
        counted: Array | None = None,
        reduction: str = "mean",
    ) -> Tensor:
        """-ln p(target | source), of tokens 1..t-1, in nats.

        target: (B, t) ids.    counted: (B, t) bool, the tokens that count in the loss; None: all
        reduction: 'none' (B, t-1), 'sum' over everything, or 'mean': nats per target

        Raises ValueError for another reduction, or t below 2.
        """
        if reduction not in ("none", "sum", "mean"):
            raise ValueError(f"reduction is {reduction!r}, wanted 'none', 'sum' or 'mean'")
        target = np.asarray(target)
        if target.ndim != 2 or target.shape[1] < 2:
            raise ValueError(f"target has shape {target.shape}, wanted (B, t) with t at least 2")
        next_tokens = target[:, 1:]
        if counted is not None:
            next_tokens = np.where(counted[:, 1:], next_tokens, _NOT_COUNTED)
        losses = mg.cross_entropy(
            self(source, lengths, target[:, :-1]),
            next_tokens,
            reduction="none" if reduction == "none" else "sum",
            ignore_index=_NOT_COUNTED,
        )
        return losses / len(target) if reduction == "mean" else losses

    def sample(
        self,
        source: Array,
        lengths: Array,
        *,
        begin: int,
        end: int,
        length: int | None = None,
        **settings: Any,
    ) -> Array:
        """Write a target for each source.    (B, S) -> ids (B, length); only `end` after its end

        The settings are those of `stream`. Raises as `stream` does.
        """
        length = self.num_tokens if length is None else length
        drawn = self.stream(source, lengths, begin=begin, end=end, length=length, **settings)
        return gathered(drawn, np.array([begin]), length, end)

    def stream(
        self,
        source: Array,
        lengths: Array,
        *,
        begin: int,
        end: int,
        length: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: Generator | None = None,
    ) -> Iterator[Array]:
        """Write a target for each source, token by token.    -> the next id of each, (B)

        The encoder runs once. begin, end: the ids that begin and end a target
        length: tokens of a target, `begin` too; None: T, which is the most
        rng: without it every call draws other targets. The other settings are those of
        `sampling.choose`; temperature 0 takes the likeliest token at each place. Dropout is off
        until the last id is taken or the iterator is closed.

        Raises ValueError for a setting that cannot be used.
        """
        length = self.num_tokens if length is None else length
        if length > self.num_tokens:
            raise ValueError(f"length is {length}, wanted at most {self.num_tokens}")
        with self.evaluating():
            yield from draw(
                lambda: self.next_scores(source, lengths),
                np.array([begin]),
                length,
                len(source),
                end,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                rng=np.random.default_rng() if rng is None else rng,
            )

    def next_scores(self, source: Array, lengths: Array) -> Callable[[Array], Array]:
        """A function from the next ids (B, t) of each target to the logits (B, V) after them.

        It remembers the ids that it was given.
        """
        with mg.no_grad():
            memory = self.encoded(source, lengths)
        made = [block.msha.initial_state(len(source)) for block in self.decoder_blocks]
        state = State(0, made)

        def next_scores(ids: Array) -> Array:
            with mg.no_grad():
                return self.decoded(ids, memory, state).data[:, -1]

        return next_scores
