"""minigrad: reverse-mode automatic differentiation on NumPy arrays, with Numba kernels."""

from minigrad import optim
from minigrad.differentiable import differentiable
from minigrad.gradcheck import gradcheck
from minigrad.kernels import available_backends, choose_backend, get_backend, set_backend
from minigrad.ops import (
    abs,
    add,
    attention,
    broadcast_to,
    causal_attention,
    causal_convolution,
    clip,
    concatenate,
    cos,
    cross_entropy,
    decayed_attention,
    divide,
    dropout,
    embedding,
    erf,
    exp,
    expand_dims,
    fft_convolution,
    gelu,
    getitem,
    gru,
    layer_norm,
    linear,
    log,
    log_softmax,
    logsumexp,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    mlp,
    multiply,
    negative,
    nll_loss,
    norm,
    power,
    relu,
    reshape,
    rnn,
    rotary,
    selective_scan,
    sigmoid,
    silu,
    sin,
    softmax,
    softplus,
    split,
    sqrt,
    squeeze,
    stack,
    std,
    subtract,
    sum,
    swapaxes,
    tanh,
    transpose,
    var,
    where,
)
from minigrad.tape import Array, detect_anomaly, is_recording, no_grad
from minigrad.tensor import Tensor
from minigrad.threads import get_num_cores, get_num_threads, set_num_threads
from minigrad.trace import Trace, TracedNode, scope, trace, tracing

__version__ = "0.2.0"
