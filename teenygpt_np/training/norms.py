"""What a step does to each layer: how long its gradient is, and how far its weights move."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping

from minigrad import Array
from minigrad.optim import sum_of_squares

_LAYER = re.compile(r"transformer_blocks\.\d+|\w+")  # the beginning of a parameter's name


def norms_by_layer(arrays: Mapping[str, Array]) -> dict[str, float]:
    """The Euclidean norm of all of a layer's arrays together; a block is one layer.

    norm = sqrt(sum_i x_i^2) over all entries, in float64.    arrays: by the parameters' names
    """
    squares: defaultdict[str, float] = defaultdict(float)
    for name, array in arrays.items():
        layer = _LAYER.match(name)
        assert layer
        squares[layer[0]] += sum_of_squares(array)
    return {layer: math.sqrt(total) for layer, total in squares.items()}


def update_ratios(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, float]:
    """How far each layer moved, as a share of its norm before; 0 for one that was all zeros.

    ratio = |after - before| / |before|
    """
    moved = norms_by_layer({name: after[name] - array for name, array in before.items()})
    return {layer: moved[layer] / n if n else 0.0 for layer, n in norms_by_layer(before).items()}
