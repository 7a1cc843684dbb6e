"""Every public operation, a row each: its definition in plain NumPy, and inputs to test it on.

The references share no code with minigrad. They take complex input as well: away from kinks, and
inputs are drawn away from them, every operation is analytic, so that one evaluation at x + ih gives
dL/dx = Im L(x + ih) / h to the last digit, with h as small as one likes.
Source: Squire and Trapp, Using complex variables to estimate derivatives of real functions, SIAM
Review 40, 1998, doi:10.1137/S003614459631241X.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import cases
import numpy as np
from cases import Array, Case, apart, nonzero, positive, small
from hypothesis import strategies as st

import minigrad as mg

STEP = 2.0**-100  # a power of two: it scales without rounding
# float64 rounds at 1e-16. A few dozen entries are summed, and in a norm near cancellation magnifies
# the error about a hundred times.
EXACT = 1e-11


@dataclasses.dataclass(frozen=True)
class Row:
    """One operation.

    reference: the same on float64 or complex arrays
    cases: what to try it on
    f: called as f(*arrays, **settings); mg.<name> where it is not given
    constants: positions of the arrays without a gradient
    condition: called like f; the error that a gradient may have, in roundings of its inputs
    """

    name: str
    reference: Callable[..., Any]
    cases: st.SearchStrategy[Case]
    f: Callable[..., mg.Tensor] | None = None
    constants: tuple[int, ...] = ()
    condition: Callable[..., float] = lambda *_, **__: 0.0

    def __call__(self, *arrays: Any, **settings: Any) -> mg.Tensor:
        return (self.f or getattr(mg, self.name))(*arrays, **settings)

    def variables(self, case: Case) -> list[int]:
        """The positions of the arrays with a gradient."""
        return [i for i in range(len(case.arrays)) if i not in self.constants]

    def value(self, case: Case) -> Array:
        return np.asarray(self.reference(*case.arrays, **case.settings))

    def gradients(self, case: Case, cotangent: Array) -> list[Array]:
        """Gradients of L = sum(cotangent * y), for each of the variables, entry by entry."""
        gradients = []
        for i in self.variables(case):
            gradients.append(np.zeros(case.arrays[i].shape))
            for index in np.ndindex(case.arrays[i].shape):
                arrays = list(case.arrays)
                arrays[i] = arrays[i].astype(complex)
                arrays[i][index] += STEP * 1j
                y = np.asarray(self.reference(*arrays, **case.settings))
                gradients[-1][index] = np.sum(cotangent * y.imag) / STEP
        return gradients


def leaves_of(row: Row, case: Case, dtype: Any = np.float64) -> list[Any]:
    """The case's arrays; those with a gradient as leaves."""
    variables = row.variables(case)
    return [
        mg.Tensor(array.astype(dtype), requires_grad=True) if i in variables else array
        for i, array in enumerate(case.arrays)
    ]


def compare(row: Row, case: Case, rng: np.random.Generator) -> Iterator[tuple[str, Any, Array]]:
    """Results and references: the value, then the gradients for a random cotangent."""
    inputs = leaves_of(row, case)
    y = row(*inputs, **case.settings)
    yield "value", y.data, row.value(case)
    cotangent = rng.standard_normal(y.shape)
    y.backward(cotangent)
    for i, want in zip(row.variables(case), row.gradients(case, cotangent), strict=True):
        yield f"gradient of input {i}", inputs[i].grad, want


def error(ours: Array, want: Array) -> float:
    """The largest difference, relative to the largest entry wanted, or to 1 if that is more."""
    differ = ours != want  # the difference of equal infinities is nan
    scale = np.abs(want[np.isfinite(want)]).max(initial=1)
    return float(np.abs(ours[differ] - want[differ]).max(initial=0) / scale)


# -- definitions -----------------------------------------------------------------------------------


def choice(x: Array, chosen: Array, axis: Any, keepdims: bool) -> Array:
    """The chosen entry, as a sum in which all others are 0."""
    return np.sum(np.where(chosen, x, 0), axis=axis, keepdims=keepdims)


def largest(x: Array, axis: Any, keepdims: bool) -> Array:
    return choice(x, x.real == x.real.max(axis=axis, keepdims=True), axis, keepdims)


def smallest(x: Array, axis: Any, keepdims: bool) -> Array:
    return choice(x, x.real == x.real.min(axis=axis, keepdims=True), axis, keepdims)


def larger(a: Array, b: Array) -> Array:
    return np.where(np.real(a) > np.real(b), a, b)


def smaller(a: Array, b: Array) -> Array:
    return np.where(np.real(a) < np.real(b), a, b)


def erf(x: Array) -> Array:
    """A series with terms of one sign: e^(-x^2) sum of 2^n x^(2n+1) / (1 3 ... 2n+1)."""
    term = total = x
    for n in range(1, 80):
        term = term * (2 * x * x / (2 * n + 1))
        total = total + term
    return 2 / math.sqrt(math.pi) * np.exp(-x * x) * total


def gelu(x: Array, approximate: str = "none") -> Array:
    if approximate == "none":
        return x * (1 + erf(x / math.sqrt(2))) / 2
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def variance(x: Array, axis: Any, keepdims: bool, correction: float) -> Array:
    mean = np.mean(x, axis=axis, keepdims=True)
    count = x.size // max(mean.size, 1)
    return np.sum((x - mean) ** 2, axis=axis, keepdims=keepdims) / (count - correction)


def logsumexp(x: Array, axis: Any, keepdims: bool) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def softmax(x: Array, axis: int) -> Array:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def layer_norm(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    deviation = x - np.mean(x, axis=-1, keepdims=True)
    return weight * deviation / np.sqrt(np.mean(deviation**2, axis=-1, keepdims=True) + eps) + bias


def gated(x: Array) -> Array:
    a, b = np.split(x, 2, axis=-1)
    return a / (1 + np.exp(-b))


def layer_norm_condition(x: Array, weight: Array, bias: Array, eps: float) -> float:
    """|x| rstd^2: rounding errors of the deviations in a row of near equals, times rstd."""
    return float(np.max(np.abs(x) / (x.var(axis=-1, keepdims=True) + eps), initial=0))


def nll(log_probs: Array, target: Array, reduction: str, ignore_index: int) -> Array:
    counts = target != ignore_index
    losses = np.zeros(target.shape, log_probs.dtype)
    for place in np.argwhere(counts):
        losses[*place] = -log_probs[*place, target[*place]]
    if reduction == "none":
        return losses
    return losses.sum() / (counts.sum() if reduction == "mean" else 1)


def attend(q: Array, k: Array, v: Array) -> Array:
    """Attention, query by query: each query sees one key more than the one before."""
    out = np.zeros(q.shape, np.result_type(q, k, v))
    for t in range(q.shape[2]):
        seen = k.shape[2] - q.shape[2] + t + 1
        s = np.einsum("bhd,bhsd->bhs", q[:, :, t], k[:, :, :seen]) / math.sqrt(q.shape[3])
        out[:, :, t] = np.einsum("bhs,bhsd->bhd", softmax(s, -1), v[:, :, :seen])
    return out


def attend_to_any(
    q: Array, k: Array, v: Array, lengths: Array | None = None, causal: bool = False
) -> Array:
    """Attention, row by row and query by query."""
    out = np.zeros(q.shape, np.result_type(q, k, v))
    for b, t in np.ndindex(len(q), q.shape[2]):
        seen = k.shape[2] if lengths is None else lengths[b]
        if causal:
            seen = min(seen, k.shape[2] - q.shape[2] + t + 1)
        s = np.einsum("hd,hsd->hs", q[b, :, t], k[b, :, :seen]) / math.sqrt(q.shape[3])
        out[b, :, t] = np.einsum("hs,hsd->hd", softmax(s, -1), v[b, :, :seen])
    return out


def rnn(x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, state: Array | None) -> Array:
    a, h = x @ w_ih.T + b_ih + b_hh, []
    state = np.zeros((len(x), len(w_hh))) if state is None else state
    for t in range(x.shape[1]):
        state = 1 - 2 / (np.exp(2 * (a[:, t] + state @ w_hh.T)) + 1)
        h.append(state)
    return np.stack(h, axis=1)


def gru(x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, state: Array | None) -> Array:
    width = w_hh.shape[1]
    state, h = np.zeros((len(x), width)) if state is None else state, []
    for t in range(x.shape[1]):
        from_x, from_h = x[:, t] @ w_ih.T + b_ih, state @ w_hh.T + b_hh
        r, z = (
            1 / (1 + np.exp(-from_x[:, part] - from_h[:, part]))
            for part in (slice(width), slice(width, 2 * width))
        )
        n = 1 - 2 / (np.exp(2 * (from_x[:, 2 * width :] + r * from_h[:, 2 * width :])) + 1)
        state = n + z * (state - n)
        h.append(state)
    return np.stack(h, axis=1)


def convolved(x: Array, weight: Array, bias: Array, state: Array | None) -> Array:
    """Tap by tap, from x[t] on back to what is not there."""
    taps, y = weight.shape[2], np.zeros((*x.shape[:2], len(weight)), complex)
    for t in range(x.shape[1]):
        for back in range(taps):
            if t >= back:
                seen = x[:, t - back]
            elif state is not None:
                seen = state[:, taps - 1 + t - back]
            else:
                continue
            tap = weight[..., taps - 1 - back]
            y[:, t] += seen @ tap.T if tap.shape[1] == x.shape[2] else seen * tap[:, 0]
    return as_given(y + bias, x, weight, bias)


def shifted(x: Array, mix: Array, before: Array | None) -> Array:
    """Token by token."""
    y, earlier = np.zeros(x.shape, complex), 0 if before is None else before[:, 0]
    for t in range(x.shape[1]):
        m = np.broadcast_to(mix, x.shape)[:, t]
        y[:, t] = (1 - m) * x[:, t] + m * earlier
        earlier = x[:, t]
    return as_given(y, x, mix)


def convolved_with_all(x: Array, kernel: Array) -> Array:
    y = np.zeros(x.shape, complex)
    for t in range(x.shape[1]):
        for s in range(t + 1):
            y[:, t] += kernel[:, s] * x[:, t - s]
    return as_given(y, x, kernel)


def as_given(y: Array, *inputs: Array) -> Array:
    """Complex where an input is."""
    return y if any(map(np.iscomplexobj, inputs)) else y.real


def scanned(
    u: Array, dt: Array, A: Array, B: Array, C: Array, D: Array, state: Array | None
) -> Array:
    """Pair by pair: at token t, what token s added has the factor e^(A (dt[s+1] + ... + dt[t]))."""
    y = D * u + np.zeros((), np.result_type(u, dt, A, B, C, D))
    for t in range(u.shape[1]):
        if state is not None:
            left = np.exp(A * dt[:, : t + 1].sum(1)[..., None])
            y[:, t] += np.einsum("ben,ben,bn->be", left, state, C[:, t])
        for s in range(t + 1):
            left = np.exp(A * dt[:, s + 1 : t + 1].sum(1)[..., None])
            y[:, t] += np.einsum("ben,bn,bn->be", left, B[:, s], C[:, t]) * dt[:, s] * u[:, s]
    return y


def turned(x: Array, angles: Array) -> Array:
    """Pair after pair, by the matrix of a rotation."""
    y = np.zeros_like(x)
    for i in range(x.shape[-1] // 2):
        a = np.broadcast_to(angles, (*x.shape[:-1], x.shape[-1] // 2))[..., i]
        y[..., 2 * i] = np.cos(a) * x[..., 2 * i] - np.sin(a) * x[..., 2 * i + 1]
        y[..., 2 * i + 1] = np.sin(a) * x[..., 2 * i] + np.cos(a) * x[..., 2 * i + 1]
    return y


def decayed(
    q: Array, k: Array, v: Array, g: Array, u: Array | None = None, *, state: Array | None
) -> Array:
    """Pair by pair: at position t, what position s added has the factor e^(g_{s+1} + ... + g_t).

    With u the state before t is read, so without g_t; and what t itself adds has the factor u.
    """
    g = np.broadcast_to(g, q.shape)
    out = np.zeros(v.shape, np.result_type(q, k, v, g, 0.0 if u is None else u))
    for t in range(q.shape[2]):
        end = t + 1 if u is None else t
        if state is not None:
            left = np.exp(g[:, :, :end].sum(2))
            out[:, :, t] = np.einsum("bhd,bhde->bhe", q[:, :, t] * left, state)
        for s in range(t + 1):
            left = np.exp(g[:, :, s + 1 : end].sum(2))
            left = u if u is not None and s == t else left
            weight = np.sum(q[:, :, t] * left * k[:, :, s], axis=-1, keepdims=True)
            out[:, :, t] += weight * v[:, :, s]
    return out


def dropped(x: Array, p: float, training: bool, seed: int) -> Array:
    if not training or p == 0:
        return x
    kept = np.random.default_rng(seed).random(x.shape, dtype=np.float32) >= p
    return np.where(kept, x / (1 - p if p < 1 else 1), 0)


def on_a_copy(name: str) -> Callable[..., mg.Tensor]:
    """The operation, but what it writes to its state does not change the case."""

    def f(*arrays: Any, state: Array | None) -> mg.Tensor:
        copy = None if state is None else state.copy()
        y: mg.Tensor = getattr(mg, name)(*arrays, state=copy)
        return y

    return f


# -- the table -------------------------------------------------------------------------------------

ROWS = [
    # arithmetic
    Row("add", lambda a, b: a + b, cases.broadcast(2)),
    Row("subtract", lambda a, b: a - b, cases.broadcast(2)),
    Row("multiply", lambda a, b: a * b, cases.broadcast(2)),
    Row("divide", lambda a, b: a / b, cases.broadcast(2, nonzero)),
    Row("negative", lambda x: -x, cases.one()),
    Row("power", lambda a, b: np.exp(b * np.log(a)), cases.broadcast(2, positive)),
    # functions of one variable
    Row("exp", np.exp, cases.one()),
    Row("log", np.log, cases.one(positive)),
    Row("sqrt", np.sqrt, cases.one(positive)),
    Row("abs", lambda x: np.where(x.real > 0, x, -x), cases.one(nonzero)),
    Row("tanh", lambda x: 1 - 2 / (np.exp(2 * x) + 1), cases.one()),
    Row("sigmoid", lambda x: 1 / (1 + np.exp(-x)), cases.one()),
    Row("softplus", lambda x: np.log(1 + np.exp(x)), cases.one()),
    Row("silu", lambda x: x / (1 + np.exp(-x)), cases.one()),
    Row("glu", gated, cases.halves()),
    Row("sin", np.sin, cases.one()),
    Row("cos", np.cos, cases.one()),
    Row("erf", erf, cases.one()),
    Row("relu", lambda x: np.where(x.real > 0, x, 0), cases.one(nonzero)),
    Row("gelu", gelu, cases.one(approximate=["none", "tanh"])),
    # choices
    Row("maximum", larger, cases.broadcast(2, apart)),
    Row("minimum", smaller, cases.broadcast(2, apart)),
    Row("clip", lambda x, low, high: smaller(larger(x, low), high), cases.broadcast(3, apart)),
    Row("where", np.where, cases.broadcast(3, cases.with_condition), constants=(0,)),
    # sums
    Row("sum", np.sum, cases.reduced(empty=True)),
    Row("mean", np.mean, cases.reduced()),
    Row("var", variance, cases.reduced(correction=[0, 0.5])),
    Row(
        "std",
        lambda *args, **kw: np.sqrt(variance(*args, **kw)),
        cases.reduced(apart, several=True, correction=[0, 0.5]),
    ),
    Row("norm", lambda x, **kw: np.sqrt(np.sum(x * x, **kw)), cases.reduced(nonzero)),
    Row("max", largest, cases.reduced(apart)),
    Row("min", smallest, cases.reduced(apart)),
    Row("logsumexp", logsumexp, cases.reduced(empty=True)),
    # shapes
    Row("reshape", np.reshape, cases.moved(cases.reshapes)),
    Row("transpose", np.transpose, cases.moved(cases.permutations)),
    Row("swapaxes", np.swapaxes, cases.swaps()),
    Row("squeeze", np.squeeze, cases.squeezes()),
    Row("expand_dims", np.expand_dims, cases.moved(cases.new_axes)),
    Row("broadcast_to", np.broadcast_to, cases.moved(cases.repetitions)),
    Row("getitem", lambda x, index: x[index], cases.indexed()),
    Row(
        "concatenate",
        lambda *parts, axis: np.concatenate(parts, axis),
        cases.joined(alike=False),
        f=lambda *parts, axis: mg.concatenate(parts, axis),
    ),
    Row(
        "stack",
        lambda *parts, axis: np.stack(parts, axis),
        cases.joined(alike=True),
        f=lambda *parts, axis: mg.stack(parts, axis),
    ),
    Row(
        "split",
        lambda x, sections, axis, part: np.split(x, sections, axis)[part],
        cases.splits(),
        f=lambda x, sections, axis, part: mg.split(x, sections, axis)[part],
    ),
    # products
    Row("matmul", np.matmul, cases.products()),
    Row(
        "linear",
        lambda x, w, b: x @ w.T + b,
        # From 17 rows on, the compiled kernel works differently.
        cases.letters("*I OI O", empty="IO", batches=[*cases.BATCHES, (2, 9)]),
    ),
    # neural networks
    Row("softmax", softmax, cases.along_axis()),
    Row("log_softmax", lambda x, axis: np.log(softmax(x, axis)), cases.along_axis()),
    Row(
        "layer_norm",
        layer_norm,
        st.one_of(
            cases.letters("*D D D", eps=[1e-5, 0.1]), cases.letters("*GD GD GD", eps=[1e-5, 0.1])
        ),
        condition=layer_norm_condition,
    ),
    Row("embedding", lambda ids, weight: weight[ids], cases.lookups(), constants=(0,)),
    Row("nll_loss", nll, cases.scores(), constants=(1,)),
    Row(
        "cross_entropy",
        lambda x, target, **settings: nll(np.log(softmax(x, -1)), target, **settings),
        cases.scores(),
        constants=(1,),
    ),
    Row("causal_attention", attend, cases.attention()),
    Row("attention", attend_to_any, cases.any_attention()),
    Row("rotary", turned, cases.points(), constants=(1,)),
    Row("rnn", rnn, cases.recurrence(1), f=on_a_copy("rnn")),
    Row("gru", gru, cases.recurrence(3), f=on_a_copy("gru")),
    Row(
        "causal_convolution",
        convolved,
        cases.convolution(),
        f=on_a_copy("causal_convolution"),
    ),
    Row("token_shift", shifted, cases.token_shift()),
    Row("fft_convolution", convolved_with_all, cases.letters("BTD DT", empty="B", values=small)),
    Row("selective_scan", scanned, cases.scan(), f=on_a_copy("selective_scan")),
    Row("decayed_attention", decayed, cases.decayed_attention(), f=on_a_copy("decayed_attention")),
    Row(
        "mlp",
        lambda x, w1, b1, w2, b2: gelu(x @ w1.T + b1) @ w2.T + b2,
        # The same here.
        cases.letters("*D HD H EH E", values=small, batches=[(), (0,), (3,), (2, 9)]),
    ),
    Row(
        "dropout",
        dropped,
        cases.one(p=[0, 0.3, 1], training=[True, False], seed=[0, 1]),
        f=lambda x, seed, **settings: mg.dropout(x, rng=np.random.default_rng(seed), **settings),
    ),
]
