"""The kernels in Numba: the same names, signatures and results as in `minigrad.kernels.reference`.

Each is a Python function that brings its arrays into one layout (so that one compilation serves)
and a compiled loop over a block of rows, so that threads can share the rows. "See the reference"
means the function of the same name in `minigrad.kernels.reference`. Importing this imports numba.
"""

from minigrad.kernels.compiled.adamw import adamw
from minigrad.kernels.compiled.attention import attention, attention_vjp
from minigrad.kernels.compiled.convolution import (
    depthwise_convolution,
    depthwise_convolution_vjp,
    token_shift,
    token_shift_vjp,
)
from minigrad.kernels.compiled.decayed_attention import decayed_attention, decayed_attention_vjp
from minigrad.kernels.compiled.embedding import embedding, embedding_vjp
from minigrad.kernels.compiled.gelu import erf, gelu, gelu_vjp
from minigrad.kernels.compiled.layer_norm import layer_norm, layer_norm_vjp
from minigrad.kernels.compiled.linear import linear, linear_vjp
from minigrad.kernels.compiled.matmul import matmul
from minigrad.kernels.compiled.mlp import mlp, mlp_vjp
from minigrad.kernels.compiled.newton_schulz import newton_schulz
from minigrad.kernels.compiled.recurrence import gru, gru_vjp, rnn, rnn_vjp
from minigrad.kernels.compiled.scan import selective_scan, selective_scan_vjp
from minigrad.kernels.compiled.silu import (
    glu,
    glu_vjp,
    silu,
    silu_vjp,
    softplus,
    softplus_vjp,
)
from minigrad.kernels.compiled.softmax import (
    cross_entropy,
    cross_entropy_vjp,
    log_softmax,
    log_softmax_vjp,
    softmax,
    softmax_vjp,
)

__all__ = [
    "adamw",
    "attention",
    "attention_vjp",
    "cross_entropy",
    "cross_entropy_vjp",
    "decayed_attention",
    "decayed_attention_vjp",
    "depthwise_convolution",
    "depthwise_convolution_vjp",
    "embedding",
    "embedding_vjp",
    "erf",
    "gelu",
    "gelu_vjp",
    "glu",
    "glu_vjp",
    "gru",
    "gru_vjp",
    "layer_norm",
    "layer_norm_vjp",
    "linear",
    "linear_vjp",
    "log_softmax",
    "log_softmax_vjp",
    "matmul",
    "mlp",
    "mlp_vjp",
    "newton_schulz",
    "rnn",
    "rnn_vjp",
    "selective_scan",
    "selective_scan_vjp",
    "silu",
    "silu_vjp",
    "softmax",
    "softmax_vjp",
    "softplus",
    "softplus_vjp",
    "token_shift",
    "token_shift_vjp",
]
