"""A gated recurrent unit: gates decide what of its vector a recurrent network forgets."""

from __future__ import annotations

from collections.abc import Callable

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.model.mixers.rnn import RNN


class GRU(RNN):
    """y[t] = h[t] = (1 - z) n + z h[t-1].    (B, T, D) -> (B, T, D)

    r = sigmoid(W_ir x[t] + b_ir + W_hr h[t-1] + b_hr), z alike, and
    n = tanh(W_in x[t] + b_in + r (W_hn h[t-1] + b_hn)).

    Parameters are called and laid out as torch.nn.GRU's: parts r, z, n below each other.

    Source: Cho et al., Learning phrase representations, 2014, arXiv:1406.1078; with the reset gate
    after the product.
    """

    gates = 3
    operation: Callable[..., Tensor] = staticmethod(mg.gru)
