"""What a block asks of the module that mixes its tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import Array, Trace, TracedNode
from teenygpt_np.model.module import Generator, Module


class Mixer(Module):
    """y[t] is computed from x[0..t], and from nothing later.    x: (B, T, D) -> y: (B, T, D)

    `mixer(x)` takes whole sequences, with gradients. For writing, `mixer(x, state)` takes their
    next T >= 1 positions, under `mg.no_grad()`, and changes the state in place. A sequence that
    comes in parts gives what it gives as a whole.

    width: D.    num_heads: for the kinds that have heads.
    """

    attribute = "mixer"  # what a block calls it, so how the names of its parameters begin

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        raise TypeError("Mixer is a base class; teenygpt_np.model.mixers.MIXERS has the kinds")

    def initial_state(self, batch_size: int) -> Any:
        """What is known before the first position of `batch_size` sequences."""
        raise TypeError("Mixer is a base class; teenygpt_np.model.mixers.MIXERS has the kinds")

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """How much of token s is in y[t], and the gradient of that: for the inspector.

        nodes: those of the trace that this mixer recorded.
        -> twice (H, T, T), a row per t; None for a kind that has nothing like it to show
        """
        return None

    @classmethod
    def fused_step(
        cls, blocks: Sequence[Any], batch_size: int, num_positions: int
    ) -> Callable[[Array], Array] | None:
        """A faster way to write through blocks that all have this kind of mixer, if there is one.

        It takes x (B, D) of the next position and gives y (B, D), as all blocks one after the other
        with their states do.
        """
        return None
