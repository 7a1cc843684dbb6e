"""A block: a mixer, which moves information between tokens, then an MLP on each token alone."""

from __future__ import annotations

from typing import Any

from minigrad import Tensor
from teenygpt_np.model.layers import LayerNorm
from teenygpt_np.model.mixers import Mixer
from teenygpt_np.model.module import Module


class Block(Module):
    """x = LayerNorm(x + mixer(x)), then x = LayerNorm(x + mlp(x)).    x: (B, T, D) -> (B, T, D)

    This is the post-norm block of the first transformer.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.1, arXiv:1706.03762.
    """

    def __init__(self, mixer: Mixer, mlp: Module, width: int, *, dtype: Any = None) -> None:
        self.mixer_name = mixer.attribute
        setattr(self, self.mixer_name, mixer)
        self.layer_norm1 = LayerNorm(width, dtype=dtype)
        self.mlp = mlp
        self.layer_norm2 = LayerNorm(width, dtype=dtype)

    @property
    def mixer_module(self) -> Mixer:
        """The mixer, whose attribute is called `mixer_name`."""
        mixer: Mixer = getattr(self, self.mixer_name)
        return mixer

    def forward(self, x: Tensor, *state: Any, **sight: Any) -> Tensor:
        """Whole sequences; or, given the mixer's state, their next positions.

        sight: what the mixer may see, if it can see other than what came before
        """
        x = self.layer_norm1(x + self.mixer_module(x, *state, **sight))
        return self.layer_norm2(x + self.mlp(x))
