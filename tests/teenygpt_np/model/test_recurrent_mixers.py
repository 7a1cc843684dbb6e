"""RNN, GRU, convolution, S4 and Mamba: their equations, token by token, and how they start."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, Trace, TracedNode
from teenygpt_np.model.mixers import MIXERS, Mixer

Array = np.ndarray[Any, np.dtype[Any]]
Weights = dict[str, Array]

B, T, D = 2, 19, 8


def make(name: str, width: int = D) -> Mixer:
    return MIXERS[name](width, 2, rng=np.random.default_rng(1), dtype=np.float64)


# -- the equations, for one sequence x: (T, D) -----------------------------------------------------


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def gelu(x: Array) -> Array:
    return np.array([0.5 * z * math.erfc(-z / math.sqrt(2)) for z in x])


def rnn(w: Weights, x: Array) -> list[Array]:
    y = [np.zeros(D)]
    for x_t in x:
        from_x = w["weight_ih_l0"] @ x_t + w["bias_ih_l0"]
        y.append(np.tanh(from_x + w["weight_hh_l0"] @ y[-1] + w["bias_hh_l0"]))
    return y[1:]


def gru(w: Weights, x: Array) -> list[Array]:
    y = [np.zeros(D)]
    for x_t in x:
        x_r, x_z, x_n = (w["weight_ih_l0"] @ x_t + w["bias_ih_l0"]).reshape(3, D)
        h_r, h_z, h_n = (w["weight_hh_l0"] @ y[-1] + w["bias_hh_l0"]).reshape(3, D)
        z = sigmoid(x_z + h_z)
        y.append((1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * y[-1])
    return y[1:]


def convolution(w: Weights, x: Array) -> list[Array]:
    y = []
    for t in range(len(x)):
        a = w["conv.bias"].copy()
        for back in range(min(t + 1, 4)):
            a += w["conv.weight"][:, :, 3 - back] @ x[t - back]
        y.append(a[:D] * sigmoid(a[D:]))
    return y


def s4(w: Weights, x: Array) -> list[Array]:
    A = -np.exp(w["kernel.log_A_real"]) + 1j * w["kernel.A_imag"]
    C = w["kernel.C"][..., 0] + 1j * w["kernel.C"][..., 1]
    decay = np.exp(np.exp(w["kernel.log_dt"])[:, None] * A)
    y, state = [], np.zeros(A.shape, complex)
    for x_t in x:
        state = decay * state + x_t[:, None]
        modes = C * (decay - 1) / A * state
        both = modes + modes.conj()  # of each pair of conjugates
        a = gelu(both.sum(axis=1).real + w["D"] * x_t)
        a = w["output_linear.0.weight"] @ a + w["output_linear.0.bias"]
        y.append(a[:D] * sigmoid(a[D:]))
    return y


def mamba(w: Weights, x: Array) -> list[Array]:
    E, N, R = 2 * D, 16, 1
    y, h, earlier = [], np.zeros((E, N)), [np.zeros(E)] * 4
    for x_t in x:
        a = w["in_proj.weight"] @ x_t
        earlier = [*earlier[1:], a[:E]]
        seen = (np.stack(earlier, axis=1) * w["conv1d.weight"][:, 0]).sum(1) + w["conv1d.bias"]
        u, z = seen * sigmoid(seen), a[E:]
        parts = w["x_proj.weight"] @ u
        dt = np.log(1 + np.exp(w["dt_proj.weight"] @ parts[:R] + w["dt_proj.bias"]))
        h = np.exp(-dt[:, None] * np.exp(w["A_log"])) * h
        h += (dt * u)[:, None] * parts[R : R + N]
        s = h @ parts[R + N :] + w["D"] * u
        y.append(w["out_proj.weight"] @ (s * z * sigmoid(z)))
    return y


EQUATIONS: dict[str, Callable[[Weights, Array], list[Array]]] = {
    f.__name__: f for f in (rnn, gru, convolution, s4, mamba)
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", EQUATIONS)
def test_the_equations(name: str) -> None:
    mixer, rng = make(name), np.random.default_rng(2)
    for parameter in mixer.parameters():
        parameter.data = parameter.data + 0.2 * rng.standard_normal(parameter.shape)
    x = rng.standard_normal((B, T, D))
    ours = mixer(Tensor(x)).data
    want = [EQUATIONS[name](mixer.state_dict(), sequence) for sequence in x]
    # Some dozens of numbers near 1 are summed in another order, and S4's in a Fourier transform.
    np.testing.assert_allclose(ours, np.array(want), rtol=0, atol=1e-12)


class Traced(NamedTuple):
    """A mixer's operations on one sequence, one of them, the arrays it took, and its gradient."""

    trace: Trace
    nodes: list[TracedNode]
    node: TracedNode
    inputs: dict[str, Array]
    y: Array
    dy: Array


def traced(mixer: Mixer, width: int, operation: str) -> Traced:
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((1, T, width)), requires_grad=True)
    with mg.tracing():
        loss = mg.sum(mixer(x) * rng.standard_normal((1, T, width)))
        loss.backward()
    trace = mg.trace(loss)
    nodes = [node for node in trace.nodes if node.operation and mixer in node.scope]
    [node] = [node for node in nodes if node.operation == operation]
    edges = [edge for edge in trace.edges if edge.target == node.id]
    inputs = {edge.name: np.asarray(trace.nodes[edge.source].value) for edge in edges}
    assert node.value is not None
    assert node.grad is not None
    return Traced(trace, nodes, node, inputs, node.value[0], node.grad[0])


def test_the_weights_that_s4_shows() -> None:
    """Times the inputs they are the convolution; a gradient is the sum over all equal distances."""
    mixer = make("s4", 1)
    trace, nodes, node, inputs, y, _ = traced(mixer, 1, "fft_convolution")
    maps = mixer.attention_maps(trace, nodes)
    assert maps is not None
    [weights], [grads] = maps
    np.testing.assert_allclose(weights @ inputs["x"][0], y, rtol=0, atol=1e-12)
    _, kernel = (trace.nodes[edge.source] for edge in trace.edges if edge.target == node.id)
    ours = [np.trace(grads, -distance) for distance in range(T)]
    np.testing.assert_allclose([ours], np.asarray(kernel.grad), rtol=0, atol=1e-12)
    assert not np.triu(weights, 1).any()
    assert not np.triu(grads, 1).any()


@pytest.mark.parametrize("heads", [1, 2, 4, 3])
def test_the_weights_that_mamba_shows(heads: int) -> None:
    """In groups of one channel they make the scan but for D u; other groups have their mean."""
    width = 2
    mixers = [
        MIXERS["mamba"](width, n, rng=np.random.default_rng(1), dtype=np.float64)
        for n in (2 * width, heads)
    ]
    found = [traced(mixer, width, "selective_scan") for mixer in mixers]
    each, ours = (m.attention_maps(f.trace, f.nodes) for m, f in zip(mixers, found, strict=True))
    assert each is not None
    assert ours is not None
    u, dy = found[0].inputs["u"][0], found[0].dy
    scanned = found[0].y - found[0].inputs["D"] * u
    np.testing.assert_allclose((each[0] @ u.T[..., None])[..., 0].T, scanned, rtol=0, atol=1e-12)
    want = np.tril(np.einsum("te,se->ets", dy, u))
    np.testing.assert_allclose(each[1], want, rtol=0, atol=1e-12)
    groups = 1 if heads == 3 else heads  # as 3 does not divide 4 channels
    weights, grads = (maps.reshape(groups, -1, T, T) for maps in each)
    np.testing.assert_allclose(ours[0], weights.mean(axis=1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours[1], grads.sum(axis=1), rtol=0, atol=1e-12)
    assert not any(np.triu(maps, 1).any() for maps in ours)


def test_the_weights_that_the_convolution_shows() -> None:
    """Times the values of their distance they are x * W; and so for the gradients."""
    mixer, width = make("convolution", 3), 3
    trace, nodes, _, inputs, y, dy = traced(mixer, width, "causal_convolution")
    maps = mixer.attention_maps(trace, nodes)
    assert maps is not None
    [weights], [grads] = maps
    x, kernel = inputs["x"][0], inputs["weight"][:width]
    sums = np.zeros((T, width))
    for t in range(T):
        for s in range(T):
            if 0 <= t - s < 4:
                tap = kernel[:, :, 3 - (t - s)]
                value = tap @ x[s] / np.sqrt((tap**2).sum())
                sums[t] += weights[t, s] * value
                assert grads[t, s] == pytest.approx(dy[t, :width] @ value, abs=1e-12)
            else:
                assert weights[t, s] == grads[t, s] == 0
    np.testing.assert_allclose(sums + inputs["bias"][:width], y[:, :width], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["rnn", "gru"])
def test_the_state_that_is_shown(name: str) -> None:
    """It is what is known after each token, and the gradient moves the loss through y alone."""
    mixer = make(name)
    trace, nodes, _, inputs, _, _ = traced(mixer, D, name)
    found = mixer.state_map(trace, nodes)
    assert found is not None
    state = mixer.initial_state(1)
    with mg.no_grad():
        for t, (token, h) in enumerate(zip(inputs["x"][0], found[0], strict=True)):
            mixer(Tensor(token[None, None]), state)
            np.testing.assert_allclose(state[0], h, rtol=0, atol=1e-12, err_msg=str(t))
    rng = np.random.default_rng(0)
    rng.standard_normal((1, T, D))  # x
    np.testing.assert_array_equal(found[1], rng.standard_normal((1, T, D))[0])
    assert mixer.attention_maps(trace, nodes) is None


# -- how they start --------------------------------------------------------------------------------


def assert_uniform(values: Array, low: float, high: float) -> None:
    """All are between the bounds, and as many in each quarter as chance allows."""
    assert low <= values.min()
    assert values.max() <= high
    counts, _ = np.histogram(values, 4, (low, high))
    assert np.all(np.abs(counts / values.size - 0.25) < 5 * math.sqrt(0.19 / values.size))


@pytest.mark.parametrize(
    ("name", "parameter", "bound"),
    [
        *[
            (name, f"{kind}_{of}_l0", 1 / 8)
            for name in ("rnn", "gru")
            for kind in ("weight", "bias")
            for of in ("ih", "hh")
        ],
        ("convolution", "conv.weight", 1 / 16),
        ("convolution", "conv.bias", 1 / 16),
        ("mamba", "conv1d.weight", 1 / 2),
        ("mamba", "dt_proj.weight", 1 / 2),
        ("mamba", "in_proj.weight", 1 / 8),
        ("s4", "output_linear.0.weight", 1 / 8),
    ],
)
def test_uniform_starts(name: str, parameter: str, bound: float) -> None:
    assert_uniform(make(name, 64).state_dict()[parameter], -bound, bound)


def test_how_mamba_starts() -> None:
    start = make("mamba", 64).state_dict()
    np.testing.assert_allclose(np.exp(start["A_log"]), [np.arange(1, 17)] * 128)
    np.testing.assert_array_equal(start["D"], 1)
    dt = np.log(1 + np.exp(start["dt_proj.bias"]))
    assert_uniform(np.log(dt), math.log(1e-3), math.log(0.1))


def test_how_s4_starts() -> None:
    start = make("s4", 64).state_dict()
    assert_uniform(start["kernel.log_dt"], math.log(1e-3), math.log(0.1))
    np.testing.assert_allclose(-np.exp(start["kernel.log_A_real"]), -0.5)
    np.testing.assert_allclose(start["kernel.A_imag"], [math.pi * np.arange(8)] * 64)
    squares = (start["kernel.C"] ** 2).sum(axis=2)  # of a complex normal, exponential with mean 1
    assert abs(squares.mean() - 1) < 5 / math.sqrt(squares.size)
    assert abs(start["D"].std() - 1) < 0.5


@pytest.mark.parametrize(
    ("name", "muon", "no_decay"),
    [
        ("rnn", "weight_ih_l0 weight_hh_l0", ""),
        ("gru", "weight_ih_l0 weight_hh_l0", ""),
        ("convolution", "", ""),
        ("s4", "output_linear.0.weight", "kernel.log_dt kernel.log_A_real kernel.A_imag"),
        (
            "mamba",
            "in_proj.weight x_proj.weight dt_proj.weight out_proj.weight",
            "A_log D dt_proj.bias",
        ),
    ],
)
def test_which_optimizer_trains_what(name: str, muon: str, no_decay: str) -> None:
    mixer = make(name)
    assert list(mixer.marked("muon")) == muon.split()
    assert list(mixer.marked("no_decay")) == no_decay.split()
