"""LoRA: the weights of a trained model stay as they are, and small products are added to some."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.model.module import Generator, Module, parameter, replaced, uniform

# Matrices that are several in one, side by side.
PARTS = {"in_proj_weight": ("q", "k", "v")}


class LowRank(Module):
    """(alpha / r) B A, a matrix of rank r at most.    A: (r, I), B: (O, r) -> (O, I)

    A starts uniform in +-1/sqrt(I), B at 0, so at first nothing is added.
    """

    def __init__(
        self, shape: tuple[int, ...], rank: int, alpha: float, *, rng: Generator, dtype: Any
    ) -> None:
        outputs, inputs = shape
        self.scale = alpha / rank
        self.lora_A = parameter((rank, inputs), uniform(rng, 1 / math.sqrt(inputs)), dtype)
        self.lora_B = parameter((outputs, rank), np.zeros, dtype)

    def forward(self) -> Tensor:
        """The matrix."""
        return self.lora_B @ self.lora_A * self.scale


@dataclass(frozen=True)
class _Place:
    """A weight matrix and the pairs that are added to its parts, None to one that has none."""

    module: Module
    attribute: str
    pairs: tuple[LowRank | None, ...]

    def adapted(self) -> Tensor:
        """The matrix with what is added to it."""
        weight: Tensor = getattr(self.module, self.attribute)
        parts = mg.split(weight, len(self.pairs)) if len(self.pairs) > 1 else [weight]
        sums = [
            p if pair is None else p + pair() for p, pair in zip(parts, self.pairs, strict=True)
        ]
        return mg.concatenate(sums) if len(sums) > 1 else sums[0]


class LoRA(Module):
    """W + (alpha / r) B A instead of W, for the chosen matrices W of a model, which is frozen.

    on: words that choose matrices: a part of their name, such as 'mlp' or 'out_proj', which may be
    'out' as well; or 'q', 'k' and 'v', the thirds of attention's `in_proj_weight`

    The sum is computed once for a pass, not the product with x twice: for models of this size it
    costs less than anything of the size of x.

    Raises ValueError for a word that chooses nothing.

    Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021, arXiv:2106.09685.
    """

    def __init__(
        self, model: Module, rank: int, alpha: float, on: Sequence[str], *, rng: Generator
    ) -> None:
        freeze(model)
        self.pairs: dict[str, LowRank] = {}
        self._places: list[_Place] = []
        known: set[str] = set()
        for module, attribute, names in _matrices(model):
            weight = getattr(module, attribute)
            shape = weight.shape[0] // len(names), weight.shape[1]
            pairs: list[LowRank | None] = []
            for name in names:
                words = {word.removesuffix("_proj") for word in name.split(".")} | {
                    *name.split(".")
                }
                known |= words
                is_chosen = not words.isdisjoint(on)
                pair = (
                    LowRank(shape, rank, alpha, rng=rng, dtype=weight.dtype) if is_chosen else None
                )
                pairs.append(pair)
                if pair:
                    self.pairs[name] = pair
            if any(pairs):
                self._places.append(_Place(module, attribute, tuple(pairs)))
        if lost := [word for word in on if word not in known]:
            wanted = ", ".join(sorted(word for word in known if not word.isdecimal()))
            raise ValueError(
                f"{lost[0]!r} chooses no matrix of this model, wanted some of {wanted}"
            )

    def parts(self) -> Iterator[tuple[str, Array, LowRank]]:
        """(name, W, the pair that is added) of each matrix, or part of one, that is adapted."""
        names = {id(pair): name for name, pair in self.pairs.items()}
        for place in self._places:
            whole = getattr(place.module, place.attribute).data
            for W, pair in zip(np.split(whole, len(place.pairs)), place.pairs, strict=True):
                if pair:
                    yield names[id(pair)], W, pair

    def applied(self) -> contextlib.AbstractContextManager[None]:
        """The modules have the sums as their weights inside the `with` block."""
        places = [(place.module, place.attribute) for place in self._places]
        with mg.scope(self):
            return replaced(places, [place.adapted() for place in self._places])


def freeze(model: Module) -> None:
    """From now on no parameter of the model has a gradient."""
    for weight in model.parameters():
        weight.requires_grad = False


def _matrices(model: Module) -> Iterator[tuple[Module, str, list[str]]]:
    """(module, attribute, the names of its parts) of each weight matrix in a block."""
    inside = ((p, m) for p, m in model.named_modules() if p.startswith("transformer_blocks."))
    for path, module in inside:
        for attribute, weight in vars(module).items():
            if isinstance(weight, Tensor) and weight.ndim == 2:
                parts = PARTS.get(attribute, (attribute,))
                yield module, attribute, [f"{path}.{part}" for part in parts]
