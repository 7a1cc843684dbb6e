"""What a step does in each layer: the gradient's norm, how far the weights move, experts' load."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from minigrad import Array
from minigrad.optim import sum_of_squares
from teenygpt_np.model.layers import routings
from teenygpt_np.model.module import Module


def norms_by_layer(arrays: Mapping[str, Array], layers: Sequence[str]) -> dict[str, float]:
    """norm = sqrt(sum_i x_i^2) over all entries of a layer's arrays, in float64.

    arrays: by parameter name, which begins with the name of a layer    -> norms by layer
    """
    squares: defaultdict[str, float] = defaultdict(float)
    for name, array in arrays.items():
        layer = next(layer for layer in layers if name.startswith(f"{layer}."))
        squares[layer] += sum_of_squares(array)
    return {layer: math.sqrt(total) for layer, total in squares.items()}


def update_ratios(
    before: Mapping[str, Array], after: Mapping[str, Array], layers: Sequence[str]
) -> dict[str, float]:
    """ratio = |after - before| / |before| for each layer; 0 for a layer that was all zeros."""
    moved = norms_by_layer({name: after[name] - array for name, array in before.items()}, layers)
    return {
        layer: moved[layer] / norm if norm else 0.0
        for layer, norm in norms_by_layer(before, layers).items()
    }


def fullest_experts(model: Module) -> dict[str, float]:
    """For each layer of experts, the share of the last step's tokens that went to the fullest."""
    return {name: float(routing.load.max()) for name, routing in routings(model).items()}
