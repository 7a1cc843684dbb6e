"""TeenyGPT: a transformer over tokens, which reads from the left, or, as an encoder, both ways.

Shapes: B rows of a batch, T = num_tokens, t tokens of a row, V = num_token_vals, D = num_emb.
Source: the model at the end of J. Tomczak's article on large language models and generative AI,
whose names it keeps.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.model.block import Block
from teenygpt_np.model.layers import MLP, Dropout, Embedding, Experts, Linear, Sequential, waves
from teenygpt_np.model.lora import LoRA
from teenygpt_np.model.mixers import MIXERS, Mixer
from teenygpt_np.model.module import Generator, Module, check_sizes
from teenygpt_np.model.ternary import Ternary
from teenygpt_np.sampling import draw, fill, gathered

_NOT_COUNTED = -100  # as a target: this token does not count in the loss


@dataclass
class State:
    """How many positions of a batch have been read, and the state of each block's mixer."""

    position: int
    blocks: list[Any]


class TeenyGPT(Module):
    """p(x) = product over t of p(x[t+1] | x[0..t]), for rows of T tokens.

    num_tokens, num_token_vals, num_emb: T, V, D.    num_neurons: the MLP's width / D.
    num_heads: must divide num_emb.    mixers: names in MIXERS, repeated over the blocks.
    positions: 'learned', an embedding of each of the T positions; 'waves', the same, but it starts
        as `layers.waves`; 'rotary', attention turns what it compares by the positions, no more than
        T; or 'none', which sets no limit to what can be read. 'auto': as `usual_positions`.
    with_mask: whether there is a token V, `mask`, which is read where a token is hidden, and never
        predicted.
    num_experts, num_active: MLPs in a block, and how many of them work on each token.
    rng: for the initial weights and for dropout.

    lora: what is added to weights that are frozen, if anything is
    ternary: what rounds weights before they are used, if anything does

    Raises ValueError for a size below 1, a num_emb that num_heads does not divide or more active
    experts than there are, KeyError for an unknown mixer.
    """

    lora: LoRA | None = None
    ternary: Ternary | None = None

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
        mixers: Sequence[str] = ("attention",),
        positions: str = "auto",
        with_mask: bool = False,
        num_experts: int = 1,
        num_active: int = 1,
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
            num_experts=num_experts,
            num_active=num_active,
        )
        if num_emb % num_heads:
            raise ValueError(f"num_emb {num_emb} can't be divided into num_heads {num_heads}")
        if num_active > num_experts:
            raise ValueError(
                f"num_active is {num_active}, wanted at most num_experts, {num_experts}"
            )
        rng = np.random.default_rng(0) if rng is None else rng
        self.num_tokens, self.num_token_vals = num_tokens, num_token_vals
        self.mask = num_token_vals
        self.embedding = Embedding(num_token_vals + with_mask, num_emb, rng=rng, dtype=dtype)
        kinds = [MIXERS[mixers[i % len(mixers)]] for i in range(num_blocks)]
        if positions == "auto":
            positions = usual_positions(mixers[:num_blocks], num_emb // num_heads)
        self.positions, self.positional_embedding = positions, None
        if positions in ("learned", "waves"):
            start = waves if positions == "waves" else None
            self.positional_embedding = Embedding(
                num_tokens, num_emb, rng=rng, dtype=dtype, start=start
            )
        self.dropout = Dropout(dropout_prob, rng=rng)

        def mlp() -> Module:
            sizes = num_emb, num_neurons * num_emb
            if num_experts == 1:
                return MLP(*sizes, rng=rng, dtype=dtype)
            return Experts(*sizes, num_experts, num_active, rng=rng, dtype=dtype)

        def mixer(kind: type[Mixer]) -> Mixer:
            turn = {"rotary": True} if positions == "rotary" and kind.can_turn else {}
            return kind(num_emb, num_heads, rng=rng, dtype=dtype, **turn)

        self.transformer_blocks = [
            Block(mixer(kind), mlp(), num_emb, dtype=dtype) for kind in kinds
        ]
        output = Linear(num_emb, num_token_vals, rng=rng, dtype=dtype)
        output.muon = ()  # not a hidden layer: AdamW trains it better
        self.logits = Sequential(output)

    @property
    def most_tokens(self) -> int:
        """How many tokens can be read: T where positions are told apart, else any number."""
        return sys.maxsize if self.positions == "none" else self.num_tokens

    def forward(
        self, x: Array, state: State | None = None, *, lengths: Array | None = None
    ) -> Tensor:
        """Logits of the next token; with lengths, of each token itself.    x: (B, t) -> (B, t, V)

        The settings are those of `hidden`, which this raises like.
        """
        return self.logits(self.hidden(x, state, lengths=lengths))

    def hidden(
        self, x: Array, state: State | None = None, *, lengths: Array | None = None
    ) -> Tensor:
        """What the last block makes of each token and those that it sees.    (B, t) -> (B, t, D)

        x: ids.    state: what was read before x; it is changed in place. Without it x begins the
        rows.    lengths: (B), how many tokens each row has. Every token then sees all of these, as
        in an encoder; without it only those before it and itself.

        Raises ValueError for more than `most_tokens`, or lengths where a mixer
        sees only what came before, and IndexError for an id outside 0..V-1.
        """
        x = np.asarray(x)
        start = 0 if state is None else state.position
        self._check_fits(x, start)
        h = self.embedding(x)
        if self.positional_embedding:
            h = h + self.positional_embedding(np.arange(start, start + x.shape[1]))
        h = self.dropout(h)
        sight = {} if lengths is None else {"lengths": lengths}
        mixers = [block.mixer_module for block in self.transformer_blocks]
        if sight and not all(mixer.sees_both_ways for mixer in mixers):
            raise ValueError("lengths are given, but a mixer sees only what came before")
        with self._adapted():
            for i, block in enumerate(self.transformer_blocks):
                h = block(h, **sight) if state is None else block(h, state.blocks[i], **sight)
        if state is not None:
            state.position += x.shape[1]
        return h

    def _check_fits(self, x: Array, read: int) -> None:
        """Raise ValueError unless x is (B, t), and t tokens can be read after those."""
        most = self.most_tokens - read
        if x.ndim != 2 or not 1 <= x.shape[1] <= most:
            wanted = "t at least 1" if self.positions == "none" else f"t in 1..{most}"
            raise ValueError(f"x has shape {x.shape}, wanted (B, t) with {wanted}")

    def _adapted(self) -> contextlib.AbstractContextManager[None]:
        change = self.lora or self.ternary
        return change.applied() if change else contextlib.nullcontext()

    def merged_state(self) -> dict[str, Array]:
        """As of any module. Ternary weights are not rounded in it: they can go on learning."""
        return self.effective_state() if self.lora else self.state_dict()

    def effective_state(self) -> dict[str, Array]:
        """As of any module."""
        with mg.no_grad(), self._adapted():
            return {n: a for n, a in self.state_dict().items() if not n.startswith("lora.")}

    def log_probs(self, x: Array, temperature: float = 1.0) -> Tensor:
        """ln p(next token) = log_softmax(logits / temperature).    x: (B, t) ids -> (B, t, V)

        Raises ValueError unless temperature is above 0.
        """
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}, wanted a number above 0")
        return mg.log_softmax(self(x) / temperature)

    def loss(self, x: Array, counted: Array | None = None, reduction: str = "mean") -> Tensor:
        """Negative log-likelihood of tokens 1..t-1, each given all before it, in nats.

        x: (B, t) ids.    counted: (B, t) bool, the tokens that count in the loss; None: all
        reduction: 'none' (B, t-1), 'sum' over everything, or 'mean': nats per row

        Raises ValueError for another reduction, t below 2, or the mean of no row.
        """
        if reduction not in ("none", "sum", "mean"):
            raise ValueError(f"reduction is {reduction!r}, wanted 'none', 'sum' or 'mean'")
        x = np.asarray(x)
        targets = _next_tokens(x)
        if reduction == "mean" and len(x) == 0:
            raise ValueError(f"x has shape {x.shape}, wanted (B, t) with B at least 1 for a mean")
        if counted is not None:
            targets = np.where(counted[:, 1:], targets, _NOT_COUNTED)
        losses = mg.cross_entropy(
            self(x[:, :-1]),
            targets,
            reduction="none" if reduction == "none" else "sum",
            ignore_index=_NOT_COUNTED,
        )
        return losses / len(x) if reduction == "mean" else losses

    def masked_loss(self, x: Array, targets: Array, masked: Array, lengths: Array) -> Tensor:
        """-ln p(target | what is not hidden of the row), summed over the masked tokens, in nats.

        x: (B, t) ids, with `mask` where a token is hidden.    targets: (B, t), the row as it was
        masked: (B, t) bool, the tokens that count.    lengths: (B), as for `hidden`

        Source: Devlin et al., BERT, 2018, section 3.1, arXiv:1810.04805.
        """
        targets = np.where(masked, targets, _NOT_COUNTED)
        return mg.cross_entropy(
            self(x, lengths=lengths), targets, reduction="sum", ignore_index=_NOT_COUNTED
        )

    def top1(self, x: Array, counted: Array | None = None) -> Array:
        """The share of next tokens that the likeliest guess gets right.    x: (B, t) -> (B)

        counted: as for `loss`. Raises ValueError for t below 2.
        """
        x = np.asarray(x)
        targets = _next_tokens(x)
        with mg.no_grad():
            right = self(x[:, :-1]).data.argmax(axis=2) == targets
        weights = np.ones_like(right) if counted is None else counted[:, 1:]
        share: Array = (right & weights).sum(axis=1) / weights.sum(axis=1)
        return share

    def fill(
        self,
        ids: Array,
        lengths: Array,
        *,
        special: Sequence[int],
        rng: Generator | None = None,
        **settings: Any,
    ) -> Array:
        """Fill in each `mask`, from left to right, by the tokens around it.    (B, t) -> (B, t)

        lengths: (B), the tokens of each row.    special: ids that stand for no text
        settings: temperature, top_k, top_p, as for `stream`
        """

        def scores(some: Array, which: Array) -> Array:
            return self(some, lengths=lengths[which]).data

        rng = np.random.default_rng() if rng is None else rng
        with self.evaluating(), mg.no_grad():
            return fill(scores, ids, ids == self.mask, special, rng=rng, **settings)

    def sample(
        self,
        batch_size: int = 4,
        temperature: float = 1.0,
        *,
        prompt: Sequence[int],
        end: int | None = None,
        length: int | None = None,
        **settings: Any,
    ) -> Array:
        """Draw rows token by token.    -> ids (B, length); only `end` after a row's first `end`

        The settings are those of `stream`. Raises as `stream` does.
        """
        length = self.num_tokens if length is None else length
        drawn = self.stream(
            batch_size, temperature, prompt=prompt, end=end, length=length, **settings
        )
        return gathered(drawn, np.array(prompt), length, end)

    def stream(
        self,
        batch_size: int = 1,
        temperature: float = 1.0,
        *,
        prompt: Sequence[int],
        end: int | None = None,
        length: int | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: Generator | None = None,
    ) -> Iterator[Array]:
        """Draw rows token by token.    -> the next id of each row, (B), as soon as it is drawn

        prompt: the ids that each row begins with.    end: the id that ends a row; None: none
        length: tokens in a row, the prompt's too; None: T. A longer row goes on from its last
            T // 2 tokens whenever `most_tokens` are read; so the model should have learned from
            windows of running text
        rng: without it every call draws other rows. The other settings are those of
        `sampling.choose`. Dropout is off, whatever the mode, until the last id is taken or the
        iterator is closed.

        Raises ValueError for a setting or a prompt that cannot be used, IndexError for an id in it
        outside 0..V-1.
        """
        length = self.num_tokens if length is None else length
        ids = np.array(prompt)
        if len(ids):
            self.embedding(ids)  # checks the ids; those that are drawn need no check
        with self.evaluating():
            yield from draw(
                lambda: self.next_scores(batch_size),
                ids,
                length,
                batch_size,
                end,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                rng=np.random.default_rng() if rng is None else rng,
                most_read=self.most_tokens,
            )

    def initial_state(self, batch_size: int) -> State:
        """The state of `batch_size` rows before their first token."""
        return State(0, [b.mixer_module.initial_state(batch_size) for b in self.transformer_blocks])

    def next_scores(self, batch_size: int) -> Callable[[Array], Array]:
        """A function from the next ids (B, t) of each row to the logits (B, V) of the token after.

        The function remembers the ids that it was given. If all blocks have the same kind of mixer
        and that has a faster way through them (`Mixer.fused_step`), it is used; but not where any
        number of tokens can be read, for which it could have no memory.
        """
        blocks = self.transformer_blocks
        kinds = {type(block.mixer_module) for block in blocks}
        if self.positions != "none" and len(kinds) == 1:
            with self._adapted(), mg.no_grad():
                step = kinds.pop().fused_step(blocks, batch_size, self.num_tokens)
            if step:
                return self._fused(step)
        state = self.initial_state(batch_size)

        def next_scores(ids: Array) -> Array:
            with mg.no_grad():
                return self(ids, state).data[:, -1]

        return next_scores

    def _fused(self, step: Callable[[Array], Array]) -> Callable[[Array], Array]:
        tokens = self.embedding.weight.data
        table = self.positional_embedding
        added = None if table is None else table.weight.data
        weight, bias = (p.data for p in self.logits.parameters())
        read = 0

        def next_scores(ids: Array) -> Array:
            nonlocal read
            self._check_fits(ids, read)  # there is no memory for more
            for column in ids.T:
                h = tokens.take(column, axis=0)
                h = step(h if added is None else h + added[read])
                read += 1
            logits: Array = np.dot(h, weight.T) + bias  # @ takes twice as long
            return logits

        return next_scores


def usual_positions(mixers: Sequence[str], head_width: int) -> str:
    """The `positions` of a model with these mixers, where nobody asks for others.

    'none' if all mixers know the order of the tokens by themselves; 'rotary' if all others can turn
    heads of this width; else 'waves'.
    """
    others = [MIXERS[name] for name in mixers if not MIXERS[name].knows_order]
    if not others:
        return "none"
    return "rotary" if head_width % 2 == 0 and all(kind.can_turn for kind in others) else "waves"


def _next_tokens(x: Array) -> Array:
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"x has shape {x.shape}, wanted (B, t) with t at least 2")
    return x[:, 1:]
