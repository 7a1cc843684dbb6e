"""Every differentiable operation: its forward, and its gradient right under it.

`dy` is the gradient of the loss with respect to an operation's result y; each vjp turns it into
the gradients of the inputs. To add an operation, write one such function (see CONTRIBUTING.md).
docs/operations.md is made of their docstrings: the equation comes first, then a part that begins
with `dx =` and one that begins with `Keeps`, with four spaces or an empty line between parts.
"""

from minigrad.ops.attention import attention, causal_attention, decayed_attention, rotary
from minigrad.ops.convolution import causal_convolution, fft_convolution, token_shift
from minigrad.ops.elementwise import (
    abs,
    add,
    clip,
    cos,
    divide,
    erf,
    exp,
    gelu,
    glu,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    silu,
    sin,
    softplus,
    sqrt,
    subtract,
    tanh,
    where,
)
from minigrad.ops.layers import dropout, embedding, linear, mlp
from minigrad.ops.linalg import matmul
from minigrad.ops.losses import cross_entropy, nll_loss
from minigrad.ops.normalization import layer_norm, log_softmax, softmax
from minigrad.ops.recurrence import gru, rnn
from minigrad.ops.reduce import logsumexp, max, mean, min, norm, std, sum, var
from minigrad.ops.scan import selective_scan
from minigrad.ops.shape import (
    broadcast_to,
    concatenate,
    expand_dims,
    getitem,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)

__all__ = [
    "abs",
    "add",
    "attention",
    "broadcast_to",
    "causal_attention",
    "causal_convolution",
    "clip",
    "concatenate",
    "cos",
    "cross_entropy",
    "decayed_attention",
    "divide",
    "dropout",
    "embedding",
    "erf",
    "exp",
    "expand_dims",
    "fft_convolution",
    "gelu",
    "getitem",
    "glu",
    "gru",
    "layer_norm",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mlp",
    "multiply",
    "negative",
    "nll_loss",
    "norm",
    "power",
    "relu",
    "reshape",
    "rnn",
    "rotary",
    "selective_scan",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "tanh",
    "token_shift",
    "transpose",
    "var",
    "where",
]
