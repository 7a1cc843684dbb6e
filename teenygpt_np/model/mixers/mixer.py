"""What a block needs from the module that mixes its tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import Array, Trace, TracedNode
from teenygpt_np.model.module import Generator, Module


class Mixer(Module):
    """y[t] is computed from x[0..t], and from nothing later.    x: (B, T, D) -> y: (B, T, D)

    A mixer with `sees_both_ways` can do otherwise: in `mixer(x, lengths=lengths)` each y[t] is
    computed from all of x[0..length-1] of its row.

    `mixer(x)` takes whole sequences, with gradients. For sampling, `mixer(x, state)` takes their
    next T >= 1 positions, under `mg.no_grad()`, and changes the state in place. A sequence given in
    parts has the same result as the whole sequence.

    width: D.    num_heads: for mixers that have heads
    """

    attribute = "mixer"  # its name in a block, and so in the names of its parameters
    knows_order = False  # whether it tells tokens in one order from the same in another by itself
    can_turn = False  # whether it takes `rotary`, to turn what it compares by the positions
    sees_both_ways = False
    part = "head"  # what each of its attention maps is of

    def __init__(self, width: int, num_heads: int, *, rng: Generator, dtype: Any = None) -> None:
        raise TypeError("Mixer is a base class; teenygpt_np.model.mixers.MIXERS has the kinds")

    def initial_state(self, batch_size: int) -> Any:
        """The state of `batch_size` sequences before their first position."""
        raise TypeError("Mixer is a base class; teenygpt_np.model.mixers.MIXERS has the kinds")

    def attention_maps(
        self, trace: Trace, nodes: Sequence[TracedNode]
    ) -> tuple[Array, Array] | None:
        """The weight of token s in y[t], and its gradient, for the inspector.

        nodes: the nodes of the trace that this mixer recorded.
        -> weights and gradients, each (H, T, T) with a row per t; None for a mixer without weights
        """
        return None

    def state_map(self, trace: Trace, nodes: Sequence[TracedNode]) -> tuple[Array, Array] | None:
        """What is known after each token, and its gradient, for the inspector.

        For a mixer whose state is so small that it can be shown, and without weights.
        -> both (T, D) with a row per token; None for other mixers
        """
        return None

    @classmethod
    def fused_step(
        cls, blocks: Sequence[Any], batch_size: int, num_positions: int
    ) -> Callable[[Array], Array] | None:
        """A faster way through blocks that all have this kind of mixer, for sampling.

        It is a function from x (B, D) of the next position to y (B, D), with the result of all
        blocks one after the other with their states. None if there is no faster way.
        """
        return None
