"""What a step does to each layer: how long its gradient is, and how far its weights move."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from minigrad import Array
from minigrad.optim import sum_of_squares


def norms_by_layer(arrays: Mapping[str, Array], layers: Sequence[str]) -> dict[str, float]:
    """The Euclidean norm of all of a layer's arrays together.

    norm = sqrt(sum_i x_i^2) over all entries, in float64.

    arrays: by the parameters' names, each of which begins with that of a layer
    """
    squares: defaultdict[str, float] = defaultdict(float)
    for name, array in arrays.items():
        layer = next(layer for layer in layers if name.startswith(f"{layer}."))
        squares[layer] += sum_of_squares(array)
    return {layer: math.sqrt(total) for layer, total in squares.items()}


def update_ratios(
    before: Mapping[str, Array], after: Mapping[str, Array], layers: Sequence[str]
) -> dict[str, float]:
    """How far each layer moved, as a share of its norm before; 0 for one that was all zeros.

    ratio = |after - before| / |before|
    """
    moved = norms_by_layer({name: after[name] - array for name, array in before.items()}, layers)
    return {
        layer: moved[layer] / norm if norm else 0.0
        for layer, norm in norms_by_layer(before, layers).items()
    }
