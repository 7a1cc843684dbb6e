"""AdamW in one pass over param, grad, m and v."""

from __future__ import annotations

import math

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import FUSED, jit, plain


def adamw(param, grad, m, v, step, lr, betas, eps, weight_decay):
    """See the reference. m and v must be C-contiguous."""
    kind = param.dtype.type
    b1, b2 = betas
    rates = [1 - lr * weight_decay, lr / (1 - b1**step), b1, 1 - b1, b2, 1 - b2]
    scales = [1 / math.sqrt(1 - b2**step), eps]
    new = np.empty(param.shape, param.dtype)
    flat = [array.reshape(-1) for array in (new, plain(param), plain(grad), m, v)]
    settings = tuple([kind(number) for number in rates + scales])
    team.run(_adamw, threads.blocks(param.size, param.size), *flat, settings)
    return new


@jit(fastmath=FUSED)  # not reordered: g * g, computed first, might overflow
def _adamw(new, param, grad, m, v, settings, part, start, stop):
    shrink, rate, b1, c1, b2, c2, scale, eps = settings
    new, param, grad = new[start:stop], param[start:stop], grad[start:stop]
    m, v = m[start:stop], v[start:stop]
    for i in range(param.size):
        g = grad[i]
        m[i] = b1 * m[i] + c1 * g
        v[i] = b2 * v[i] + c2 * g * g
        root = np.sqrt(v[i]) * scale + eps
        new[i] = param[i] * shrink - rate * m[i] / root
