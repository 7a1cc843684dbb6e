"""The kernels in NumPy: formula after formula, to be read, and to test the compiled twins by.

`x_vjp` takes what its forward `x` kept and the gradient of x's result, and gives the gradients of
x's inputs. Some take `needed`, a bool for each of these, and give None for those that are not
needed, as those of frozen weights. Nothing here writes to its arguments, but `adamw` to m and v.
"""

from minigrad.kernels.reference.adamw import adamw
from minigrad.kernels.reference.attention import attention, attention_vjp
from minigrad.kernels.reference.convolution import (
    depthwise_convolution,
    depthwise_convolution_vjp,
    token_shift,
    token_shift_vjp,
)
from minigrad.kernels.reference.decayed_attention import decayed_attention, decayed_attention_vjp
from minigrad.kernels.reference.embedding import embedding, embedding_vjp
from minigrad.kernels.reference.gelu import erf, gelu, gelu_vjp
from minigrad.kernels.reference.layer_norm import layer_norm, layer_norm_vjp
from minigrad.kernels.reference.linear import linear, linear_vjp
from minigrad.kernels.reference.matmul import matmul
from minigrad.kernels.reference.mlp import mlp, mlp_vjp
from minigrad.kernels.reference.newton_schulz import newton_schulz
from minigrad.kernels.reference.recurrence import gru, gru_vjp, rnn, rnn_vjp
from minigrad.kernels.reference.scan import selective_scan, selective_scan_vjp
from minigrad.kernels.reference.silu import (
    glu,
    glu_vjp,
    silu,
    silu_vjp,
    softplus,
    softplus_vjp,
)
from minigrad.kernels.reference.softmax import (
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
