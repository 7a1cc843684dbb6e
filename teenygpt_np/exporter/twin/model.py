"""The whole model as the C sources compute it, for any number of rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin import MIXER_TWINS
from teenygpt_np.exporter.twin.arithmetic import Generator, add_and_norm, choose
from teenygpt_np.exporter.twin.matrices import MATRICES, Matrix
from teenygpt_np.exporter.twin.mixer import MixerTwin, Sizes
from teenygpt_np.model.teenygpt import TeenyGPT

SLICE = 512  # hidden units of an MLP at a time


@dataclass(frozen=True)
class BlockTwin:
    """A block's mixer, MLP and norms.    norms: w and b of each"""

    mixer: MixerTwin
    mlp1: Matrix
    mlp2: Matrix
    norm1: tuple[Array, Array]
    norm2: tuple[Array, Array]


class Twin:
    """The twin of `model.c`.

    mixers: the mixer of each block, by its name in `MIXER_TWINS`.    weights: a name in `MATRICES`
    cache: how keys and values are kept
    """

    def __init__(self, model: TeenyGPT, mixers: Sequence[str], weights: str, cache: str) -> None:
        state, self.kind = model.effective_state(), MATRICES[weights]
        heads = {getattr(b.mixer_module, "num_heads", 0) for b in model.transformer_blocks}
        self.sizes = Sizes(
            width=state["embedding.weight"].shape[1],
            heads=max(heads),
            tokens=model.num_tokens,
            cache=cache,
            rotary=model.positions == "rotary",
        )
        self.mixers = mixers
        self.vocab = model.num_token_vals
        self.embedding = self.kind(state["embedding.weight"][: self.vocab])
        learned = state.get("positional_embedding.weight")
        self.positions = None if learned is None else self.kind(learned)
        norm = model.transformer_blocks[0].layer_norm1
        self.eps = np.float32(norm.eps)
        self.blocks = [
            self._block(under(state, f"transformer_blocks.{i}."), name)
            for i, name in enumerate(mixers)
        ]
        self.logits = self.kind(state["logits.0.weight"], state["logits.0.bias"])

    def _block(self, state: Mapping[str, Array], name: str) -> BlockTwin:
        mixer = under(state, "msha.") or under(state, "mixer.")
        mlp1, mlp2 = (self.kind(state[f"mlp.{i}.weight"], state[f"mlp.{i}.bias"]) for i in (0, 2))
        norm1, norm2 = (
            (state[f"layer_norm{i}.weight"], state[f"layer_norm{i}.bias"]) for i in (1, 2)
        )
        return BlockTwin(MIXER_TWINS[name](mixer, self.sizes, self.kind), mlp1, mlp2, norm1, norm2)

    @property
    def ends(self) -> bool:
        """Whether a text ends after T positions, as the model can read no more."""
        return self.positions is not None or any(b.mixer.has_cache for b in self.blocks)

    @property
    def slice(self) -> int:
        """How many hidden units of an MLP are computed at a time."""
        return min(SLICE, self.blocks[0].mlp1.outputs)

    def start(self, batch_size: int) -> TwinState:
        """The state of so many rows before their first token."""
        return TwinState(0, [block.mixer.start(batch_size) for block in self.blocks])

    def step(
        self, ids: Array, state: TwinState, view: Callable[[Array], Array] = np.asarray
    ) -> Array:
        """Read the next id of each row, by C's `teenygpt_step`.    (B) -> logits (B, V)

        view: makes what goes through the blocks another kind of array, as to count operations
        """
        x = view(self.embedding.rows(ids))
        if self.positions:
            x = x + self.positions.rows(np.array([state.position]))
        for block, mixer_state in zip(self.blocks, state.blocks, strict=True):
            y = block.mixer.step(x, mixer_state, state.position)
            x = add_and_norm(x, y, *block.norm1, self.eps)
            x = add_and_norm(x, self._mlp(block, x), *block.norm2, self.eps)
        state.position += 1
        return self.logits(x)

    def _mlp(self, block: BlockTwin, x: Array) -> Array:
        first, last = block.mlp1, block.mlp2
        assert first.bias is not None
        assert last.bias is not None
        y = np.zeros_like(x)
        for start in range(0, first.outputs, self.slice):
            units = slice(start, min(start + self.slice, first.outputs))
            hidden = np.zeros((len(x), units.stop - start), np.float32)
            hidden = first.added(hidden, x, units, slice(None))
            y = last.added(y, self.kind.gelu(hidden + first.bias[units]), slice(None), units)
        return y + last.bias


@dataclass
class TwinState:
    """How many positions have been read, and the state of each block's mixer."""

    position: int
    blocks: list[Any]


def under(state: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin with a prefix, by their names without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def write(
    twin: Twin,
    seeds: Sequence[int],
    *,
    begin: int,
    end: int,
    temperature: float,
    top_k: int = 0,
) -> list[list[int]]:
    """A text for each seed, the same as the C writes: ids, without those that begin and end it."""
    generators, state = [Generator(seed) for seed in seeds], twin.start(len(seeds))
    texts: list[list[int]] = [[] for _ in seeds]
    ids, is_open = np.full(len(seeds), begin), np.ones(len(seeds), bool)
    for _ in range(twin.sizes.tokens - 1):
        logits = twin.step(ids, state)
        for row in np.flatnonzero(is_open):
            ids[row] = choose(logits[row], generators[row], temperature, top_k)
            is_open[row] = ids[row] != end
            if is_open[row]:
                texts[row].append(int(ids[row]))
        if not is_open.any():
            break
    return texts


def nats(twin: Twin, ids: Array, counted: Array) -> Array:
    """The NLL of each row's counted tokens.    ids, counted: (B, T) -> (B), in nats"""
    state, sums = twin.start(len(ids)), np.zeros(len(ids))
    rows = np.arange(len(ids))
    for t in range(ids.shape[1] - 1):
        logits = twin.step(ids[:, t], state)
        logits = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[rows, ids[:, t + 1]]
        sums += np.where(counted[:, t + 1], losses, 0)
    return sums
