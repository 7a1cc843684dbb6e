"""The number of examples and the worst errors, which the deep profile prints at its end."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterator

import numpy as np

_errors: dict[str, list[tuple[float, float]]] = collections.defaultdict(list)
_traits: collections.Counter[str] = collections.Counter()


def record(name: str, value: float, gradient: float, traits: Collection[str] = ()) -> None:
    """One example of an operation, or one graph: the errors of its value and gradients."""
    _errors[name].append((value, gradient))
    _traits.update(traits)


def summary() -> Iterator[str]:
    """A line per name, in the order of recording; none if nothing was recorded."""
    if _errors:
        yield f"{'':20}{'examples':>10}   worst error of the value   and the gradients"
    for name, errors in _errors.items():
        value, gradient = np.max(errors, axis=0)
        yield f"{name:20}{len(errors):10,}{value:27.1e}{gradient:20.1e}"
    if _traits:
        yield "graphs with: " + ", ".join(f"{trait} {n:,}" for trait, n in _traits.most_common())
