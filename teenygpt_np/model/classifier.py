"""A prediction head: the class of a text, from what a model makes of its tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.model.layers import Linear
from teenygpt_np.model.module import Generator, Module
from teenygpt_np.model.teenygpt import TeenyGPT


class Classifier(Module):
    """logits = W mean(h_1 ... h_n) + b, h the body's hidden states of a text's n tokens.

    body: a TeenyGPT, whose own logits are not used.    num_classes: C
    both_ways: whether the tokens of a text see each other both ways, as in an encoder
    """

    def __init__(
        self,
        body: TeenyGPT,
        num_classes: int,
        *,
        both_ways: bool,
        rng: Generator,
        dtype: Any = np.float32,
    ) -> None:
        self.body, self.both_ways = body, both_ways
        self.head = Linear(body.embedding.weight.shape[1], num_classes, rng=rng, dtype=dtype)
        self.head.muon = ()  # not a hidden layer: AdamW trains it better

    def forward(self, x: Array, lengths: Array) -> Tensor:
        """Logits of the classes.    x: (B, t) ids, lengths: (B) tokens of each row -> (B, C)"""
        h = self.body.hidden(x, lengths=lengths if self.both_ways else None)
        share = np.arange(x.shape[1]) < lengths[:, None]
        weights = (share / lengths[:, None]).astype(h.dtype)
        return self.head((h * weights[:, :, None]).sum(axis=1))

    def log_probs(self, x: Array, lengths: Array) -> Tensor:
        """ln p(class | text).    x: (B, t) ids, lengths: (B) -> (B, C)"""
        return mg.log_softmax(self(x, lengths))

    def merged_state(self) -> dict[str, Array]:
        """As of any module; LoRA is in the body."""
        return self._with_head(self.body.merged_state())

    def effective_state(self) -> dict[str, Array]:
        """As of any module; what changes weights before they are used is in the body."""
        return self._with_head(self.body.effective_state())

    def _with_head(self, body: dict[str, Array]) -> dict[str, Array]:
        head = self.head.state_dict()
        return {
            f"{part}.{n}": a for part, of in (("body", body), ("head", head)) for n, a in of.items()
        }
