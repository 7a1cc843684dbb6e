"""One step of AdamW."""

from __future__ import annotations

import math

import numpy as np

from minigrad.kernels.reference.array import Array


def adamw(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> Array:
    """One AdamW step: the new param. m, v follow the mean and the mean square of grad, in place.

    m = b1 m + (1 - b1) grad,    v = b2 v + (1 - b2) grad^2
    param = (1 - lr weight_decay) param - lr mhat / (sqrt(vhat) + eps)
    with mhat = m / (1 - b1^step), vhat = v / (1 - b2^step), because both start from 0.
    Where (1 - b2) grad^2 overflows, v is infinite from then on: that entry of param only decays.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2,
    arXiv:1711.05101.
    """
    b1, b2 = betas
    m *= b1
    m += (1 - b1) * grad
    v *= b2
    v += (1 - b2) * grad * grad
    step_size = lr / (1 - b1**step)
    root = np.sqrt(v) / math.sqrt(1 - b2**step)  # vhat itself might overflow
    return (1 - lr * weight_decay) * param - step_size * m / (root + eps)
