"""Ternary weights: -1, 0 or 1, times one number for each matrix, and learned as such."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad import Array, Tensor
from teenygpt_np.model.lora import PARTS
from teenygpt_np.model.module import Module, replaced

_LEAST = 1e-5  # of g


def ternary(w: Array) -> tuple[npt.NDArray[np.int8], Any]:
    """W~ = clip(round(W / g), -1, 1) and g = mean |W|, at least 1e-5.    (O, I) -> (O, I), ()

    Source: Ma et al., The Era of 1-bit LLMs, 2024, equations 1 to 3, arXiv:2402.17764.
    """
    g = max(np.abs(w).mean(dtype=w.dtype), w.dtype.type(_LEAST))
    return np.clip(np.rint(w / g), -1, 1).astype(np.int8), g


class Ternary:
    """g W~ instead of W, for the matrices W of a model that Muon may train: those in its blocks.

    W itself is kept and learns. The gradient of g W~ is taken for that of W (straight-through): the
    derivative of rounding is 0 almost everywhere, and would teach nothing. Matrices that are
    several in one have a g for each. Embeddings, biases, norms and the last layer stay as they are,
    and so do activations: unlike in the source they are not rounded.

    Source: as for `ternary`; Bengio et al., Estimating or propagating gradients through stochastic
    neurons, 2013, section 4, arXiv:1308.3432.
    """

    def __init__(self, model: Module) -> None:
        matrices = set(model.marked("muon"))
        self.places = [
            (f"{path}.{name}", module, name)
            for path, module in model.named_modules()
            for name in vars(module)
            if f"{path}.{name}" in matrices
        ]

    def applied(self) -> contextlib.AbstractContextManager[None]:
        """The modules have the ternary weights inside the `with` block."""
        places = [(module, name) for _, module, name in self.places]
        return replaced(places, [_straight_through(*place) for place in places])

    def matrices(self) -> Iterator[tuple[str, list[tuple[npt.NDArray[np.int8], Any]]]]:
        """The name of each, and W~ and g of its parts."""
        for path, module, name in self.places:
            yield path, [ternary(part) for part in _parts(getattr(module, name).data, name)]


def _parts(w: Array, name: str) -> list[Array]:
    return np.split(w, len(PARTS.get(name, "1")))


def _straight_through(module: Module, name: str) -> Tensor:
    w: Tensor = getattr(module, name)
    rounded = [g * integers for integers, g in map(ternary, _parts(w.data, name))]
    # w - w is 0, with the gradient of w.
    return Tensor(np.concatenate(rounded).astype(w.dtype)) + (w - w.detach())
