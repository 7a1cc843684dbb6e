"""An operation made in one piece equals the same composed of small ones, gradients included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor

pytestmark = pytest.mark.usefixtures("backend")


class Pair(NamedTuple):
    """An operation, the same composed, and the shapes it is tried on."""

    name: str
    fused: Callable[..., Tensor]
    composed: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    deviation = x - x.mean(axis=-1, keepdims=True)
    return deviation / mg.sqrt(mg.mean(deviation**2, -1, keepdims=True) + 1e-5) * weight + bias


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    later = np.triu(np.ones(scores.shape[-2:], bool), 1 + k.shape[2] - q.shape[2])
    return mg.softmax(mg.where(later, -np.inf, scores)) @ v


def attention(lengths: tuple[int, ...] | None, causal: bool) -> tuple[Any, Any]:
    """The operation, and the same composed of small ones, for sequences of these lengths."""

    def composed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys = k.shape[2]
        hidden = np.arange(keys) >= np.array(lengths or (keys, keys))[:, None, None, None]
        if causal:
            hidden = hidden | np.triu(np.ones((q.shape[2], keys), bool), 1 + keys - q.shape[2])
        scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        return mg.softmax(mg.where(np.broadcast_to(hidden, scores.shape), -np.inf, scores)) @ v

    return lambda *qkv: mg.attention(*qkv, lengths=lengths, causal=causal), composed


def rnn(x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    h = [Tensor(np.zeros((len(x), len(w_hh))))]
    for t in range(x.shape[1]):
        h.append(mg.tanh(mg.linear(x[:, t], w_ih, b_ih) + mg.linear(h[-1], w_hh, b_hh)))
    return mg.stack(h[1:], 1)


def gru(x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    h = [Tensor(np.zeros((len(x), w_hh.shape[1])))]
    for t in range(x.shape[1]):
        a = mg.split(mg.linear(x[:, t], w_ih, b_ih), 3, -1)
        p = mg.split(mg.linear(h[-1], w_hh, b_hh), 3, -1)
        r, z = mg.sigmoid(a[0] + p[0]), mg.sigmoid(a[1] + p[1])
        h.append((1 - z) * mg.tanh(a[2] + r * p[2]) + z * h[-1])
    return mg.stack(h[1:], 1)


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Shifted inputs, each times its tap."""
    length, taps = x.shape[1], weight.shape[2]
    padded = mg.concatenate([np.zeros((len(x), taps - 1, x.shape[2])), x], axis=1)
    y = bias
    for k in range(taps):
        shifted, tap = padded[:, k : k + length], weight[:, :, k]
        y = y + (shifted @ tap.T if tap.shape[1] == x.shape[2] else shifted * tap[:, 0])
    return y


def fft_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """As causal_convolution, with as many taps as tokens."""
    return mg.causal_convolution(x, kernel[:, None, ::-1], np.zeros(len(kernel)))


def selective_scan(u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Token after token. dt and A are given as exponents, so that A < 0 < dt."""
    dt, A = mg.exp(dt), -mg.exp(A)
    h: Any = np.zeros((len(u), *A.shape))
    y = []
    for t in range(u.shape[1]):
        h = mg.exp(dt[:, t, :, None] * A) * h + (dt * u)[:, t, :, None] * B[:, t, None]
        y.append(mg.sum(h * C[:, t, None], 2) + D * u[:, t])
    return mg.stack(y, 1)


def decayed_attention(q: Tensor, k: Tensor, v: Tensor, g: Tensor, u: Any = None) -> Tensor:
    state, outs = Tensor(0.0), []
    for t in range(q.shape[2]):
        added = k[:, :, t, :, None] * v[:, :, t, None]
        read = None if u is None else state + u[..., None] * added
        state = mg.exp(g[:, :, t, :, None]) * state + added
        outs.append((q[:, :, t, None] @ (state if read is None else read))[:, :, 0])
    return mg.stack(outs, 2)


def variance(x: Tensor) -> Tensor:
    return mg.sum((x - mg.sum(x, 1, True) / 7) ** 2, 1) / 6


def clip(x: Tensor) -> Tensor:
    return mg.relu(x + 0.5) - 0.5 - mg.relu(x - 1)


def stack(a: Tensor, b: Tensor) -> Tensor:
    return mg.concatenate([a[:, None], b[:, None]], 1)


TARGET = np.random.default_rng(0).integers(0, 5, (4, 3))
TARGET[0, 1] = TARGET[2, 2] = -100
QUERIES_AND_KEYS = ((1, 1), (3, 3), (1, 7), (9, 16), (5, 40), (17, 17), (70, 70), (65, 80))
# Rows for several pieces, blocks and threads of the kernels, and for none.
PAIRS = [
    Pair("linear", mg.linear, lambda x, w, b: x @ w.T + b, ((4, 3, 5), (6, 5), (6,))),
    Pair("linear of none", mg.linear, lambda x, w, b: x @ w.T + b, ((0, 5), (6, 5), (6,))),
    *[
        Pair(
            f"mlp of {rows}, {width} wide",
            mg.mlp,
            lambda x, w1, b1, w2, b2: mg.linear(mg.gelu(mg.linear(x, w1, b1)), w2, b2),
            ((rows, width), (150, width), (150,), (6, 150), (6,)),
        )
        for rows, width in ((0, 5), (1, 5), (16, 5), (17, 5), (1000, 5), (17, 256))  # 256: kept
    ],
    *[
        Pair(
            f"causal_attention of {queries} and {keys}",
            mg.causal_attention,
            causal_attention,
            ((2, 2, queries, 5), (2, 2, keys, 5), (2, 2, keys, 5)),
        )
        for queries, keys in QUERIES_AND_KEYS
    ],
    *[
        Pair(
            f"attention of {queries} and {keys}, {lengths}, causal {causal}",
            *attention(lengths, causal),
            ((2, 2, queries, 5), (2, 2, keys, 5), (2, 2, keys, 5)),
        )
        for queries, keys in (*QUERIES_AND_KEYS, (80, 65), (40, 5))
        for lengths in (None, (keys, (keys + 1) // 2))
        for causal in ((False, True) if queries <= keys else (False,))
    ],
    Pair(
        "causal_attention of 34 heads", mg.causal_attention, causal_attention, ((17, 2, 4, 3),) * 3
    ),
    Pair(
        "attention of 34 heads, each length",
        *attention(tuple([1 + i % 3 for i in range(17)]), False),
        ((17, 2, 4, 3),) * 3,
    ),
    *[
        Pair(
            f"{name} of {batch} x {length}",
            getattr(mg, name),
            composed,
            ((batch, length, 5), (rows, 5), (rows, 4), (rows,), (rows,)),
        )
        for name, composed, rows in (("rnn", rnn, 4), ("gru", gru, 12))
        for batch, length in ((1, 1), (3, 2), (40, 19))
    ],
    *[
        Pair(
            f"causal_convolution of {length} by {taps}, {kind}",
            mg.causal_convolution,
            convolution,
            ((9, length, 6), (outputs, inputs, taps), (outputs,)),
        )
        for kind, outputs, inputs in (("dense", 5, 6), ("depthwise", 6, 1))
        for length, taps in ((1, 4), (3, 1), (70, 4))
    ],
    *[
        Pair(
            f"fft_convolution of {length}",
            mg.fft_convolution,
            fft_convolution,
            ((3, length, 4), (4, length)),
        )
        for length in (1, 2, 13, 64)
    ],
    *[
        Pair(
            f"selective_scan of {length}",
            lambda u, dt, A, *others: mg.selective_scan(u, mg.exp(dt), -mg.exp(A), *others),
            selective_scan,
            ((3, length, 6), (3, length, 6), (6, 5), (3, length, 5), (3, length, 5), (6,)),
        )
        for length in (1, 15, 16, 17, 40)
    ],
    *[
        Pair(
            f"decayed_attention of {batch} x {length}, u {u}",
            lambda q, k, v, x, *u: mg.decayed_attention(q, k, v, -mg.exp(x), *u),
            lambda q, k, v, x, *u: decayed_attention(q, k, v, -mg.exp(x), *u),
            (*[(batch, 2, length, width) for width in (3, 3, 5, 3)], *u),
        )
        for batch, length in ((17, 1), (17, 16), (17, 17), (17, 40), (1, 300))
        for u in ((), *[((2, 3),)] * (length > 1))
    ],
    Pair("layer_norm", mg.layer_norm, layer_norm, ((4, 3, 9), (9,), (9,))),
    Pair("layer_norm of many", mg.layer_norm, layer_norm, ((500, 40), (40,), (40,))),
    *[
        Pair(
            f"cross_entropy, {reduction}",
            lambda x, how=reduction: mg.cross_entropy(x, TARGET, reduction=how),
            lambda x, how=reduction: mg.nll_loss(mg.log_softmax(x), TARGET, reduction=how),
            ((4, 3, 5),),
        )
        for reduction in ("none", "sum", "mean")
    ],
    Pair(
        "nll_loss",
        lambda x: mg.nll_loss(x, TARGET, reduction="sum"),
        lambda x: -mg.sum(x[TARGET >= 0][np.arange(10), TARGET[TARGET >= 0]]),
        ((4, 3, 5),),
    ),
    *[
        Pair(
            f"softmax along {axis}",
            lambda x, axis=axis: mg.softmax(x, axis),
            lambda x, axis=axis: mg.exp(x) / mg.sum(mg.exp(x), axis, keepdims=True),
            ((4, 3, 5),),
        )
        for axis in (0, 1, -1)
    ],
    Pair("softmax of many", mg.softmax, lambda x: mg.exp(mg.log_softmax(x)), ((500, 40),)),
    Pair(
        "log_softmax",
        mg.log_softmax,
        lambda x: x - mg.logsumexp(x, -1, keepdims=True),
        ((500, 40),),
    ),
    Pair("logsumexp", mg.logsumexp, lambda x: mg.log(mg.sum(mg.exp(x))), ((4, 5),)),
    Pair("gelu", mg.gelu, lambda x: x * (1 + mg.erf(x / np.sqrt(2))) / 2, ((200, 100),)),
    Pair(
        "gelu with tanh",
        lambda x: mg.gelu(x, "tanh"),
        lambda x: x * mg.sigmoid(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)),
        ((200, 100),),
    ),
    Pair("sigmoid", mg.sigmoid, lambda x: 1 / (1 + mg.exp(-x)), ((4, 5),)),
    Pair("mean", lambda x: mg.mean(x, 1), lambda x: mg.sum(x, 1) / 7, ((4, 7),)),
    Pair("var", lambda x: mg.var(x, 1, correction=1), variance, ((4, 7),)),
    Pair("clip", lambda x: mg.clip(x, -0.5, 1), clip, ((4, 7),)),
    Pair("stack", lambda *x: mg.stack(x, 1), stack, ((4, 7), (4, 7))),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_fused_is_composed(pair: Pair, rng: np.random.Generator) -> None:
    arrays = [rng.standard_normal(shape) for shape in pair.shapes]
    fused, composed = ([Tensor(a, requires_grad=True) for a in arrays] for _ in range(2))
    y, want = pair.fused(*fused), pair.composed(*composed)
    cotangent = rng.standard_normal(want.shape)
    y.backward(cotangent)
    want.backward(cotangent)
    pairs: list[tuple[Any, Any]] = [(y.data, want.data)]
    pairs += [(ours.grad, other.grad) for ours, other in zip(fused, composed, strict=True)]
    for ours, other in pairs:
        # Sums of some hundred entries in another order.
        bound = 1e-12 * max(1, np.abs(other).max(initial=0))
        assert ours.shape == other.shape
        np.testing.assert_allclose(ours, other, rtol=0, atol=bound)
