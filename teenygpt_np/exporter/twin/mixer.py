"""What a mixer's twin is: the same numbers in Python as its C file computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.matrices import Matrix

Member: TypeAlias = tuple[str, int]  # a C type and how many of them


@dataclass(frozen=True)
class Sizes:
    """What a mixer is told of the model: D, its heads, T, and how keys and values are kept.

    rotary: whether attention turns queries and keys by their positions
    """

    width: int
    heads: int
    tokens: int
    cache: str
    rotary: bool = False


class MixerTwin:
    """A mixer of one block, step by step: the twin of a C file.

    weights: its parameters by name, (O, I) matrices and vectors.    kind: how matrices are kept
    fields: what is kept in flash, by the name of its field in C's struct of weights

    A class has the name of its mixer in C, the files of its code, and what RAM it takes: `state`
    for each block, `work` shared by all, both as members of C structs, in their order.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()  # files of functions that other mixers need, too
    has_cache: ClassVar[bool] = False  # of keys and values, for T positions and not for more

    def __init__(self, weights: Mapping[str, Array], sizes: Sizes, kind: type[Matrix]) -> None:
        self.sizes = sizes
        self.fields: dict[str, Matrix | Array] = {}

    @classmethod
    def files(cls, sizes: Sizes) -> tuple[str, ...]:
        """Its C files, in order."""
        return (f"{cls.name}.h", *cls.needs, f"{cls.name}.c")

    @classmethod
    def defines(cls, sizes: Sizes) -> dict[str, str]:
        """Constants of its C code, by their names without TEENYGPT_."""
        return {}

    @classmethod
    def tables(cls, sizes: Sizes) -> dict[str, Array]:
        """What all blocks with it have in flash together, by its names in C."""
        return {}

    @classmethod
    def state(cls, sizes: Sizes) -> list[Member]:
        """The members of its `struct NAME_state`."""
        raise TypeError("MixerTwin is a base class")

    @classmethod
    def work(cls, sizes: Sizes) -> list[Member]:
        """The members of its `struct NAME_work`."""
        raise TypeError("MixerTwin is a base class")

    def start(self, batch_size: int) -> Any:
        """The state of so many rows before their first token: arrays that `step` changes."""
        raise TypeError("MixerTwin is a base class")

    def step(self, x: Array, state: Any, position: int) -> Array:
        """The mixer's output for the next position.    (B, D) -> (B, D)"""
        raise TypeError("MixerTwin is a base class")


def zeros(*shape: int) -> Array:
    """Float32 zeros."""
    return np.zeros(shape, np.float32)


def as_float(x: np.float32) -> str:
    """A constant of C's type float: nine digits are enough to tell it from all others."""
    text = f"{x:.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")
