"""The mixers made of `decayed_attention`: what they compute, in plain NumPy; and their maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.model.mixers import MIXERS, Mixer

Array = np.ndarray[Any, np.dtype[Any]]
Parameters = dict[str, Array]

B, T, D, H = 2, 19, 12, 3
ROUNDING = 1e-12  # in float64, if a few dozen numbers near 1 are summed in another order


def make(name: str) -> Mixer:
    """A mixer in float64 with random parameters, none of them 0 or 1."""
    mixer = MIXERS[name](D, H, rng=np.random.default_rng(1), dtype=np.float64)
    rng = np.random.default_rng(2)
    for parameter in mixer.parameters():
        parameter.data = parameter.data + 0.1 * rng.standard_normal(parameter.shape)
    return mixer


def sequences() -> Array:
    return np.random.default_rng(3).standard_normal((B, T, D))


def heads(x: Array) -> Array:
    """(B, T, D) -> (B, H, T, D/H)"""
    return x.reshape(*x.shape[:2], H, -1).swapaxes(1, 2)


def joined(y: Array) -> Array:
    return y.swapaxes(1, 2).reshape(y.shape[0], y.shape[2], -1)


# -- what they compute: pairs of positions for the first two, which are sums; steps for the third --


def linear_attention(p: Parameters, x: Array) -> Array:
    projected = x @ p["in_proj_weight"].T + p["in_proj_bias"]
    q, k, v = map(heads, np.split(projected, 3, axis=-1))
    q, k = (np.where(a > 0, a + 1, np.exp(np.minimum(a, 0))) for a in (q, k))
    scores = np.tril(q @ k.swapaxes(2, 3))
    y = scores @ v / (scores.sum(3, keepdims=True) + 1e-6)
    return joined(y) @ p["out_proj.weight"].T + p["out_proj.bias"]


DEFINITIONS: dict[str, Callable[[Parameters, Array], Array]] = {
    "linear-attention": linear_attention,
}
each = pytest.mark.parametrize("name", DEFINITIONS)


@pytest.mark.usefixtures("backend")
@each
def test_definition(name: str) -> None:
    mixer, x = make(name), sequences()
    parameters = {n: p.numpy() for n, p in mixer.named_parameters()}
    want = DEFINITIONS[name](parameters, x)
    np.testing.assert_allclose(mixer(Tensor(x)).data, want, rtol=0, atol=ROUNDING)


# -- the maps --------------------------------------------------------------------------------------

MIXED = {"linear-attention": "divide"}  # the operation that gives the mixed values


@each
def test_weights_times_values_are_the_mixed_values(name: str) -> None:
    """And the weights' gradient is the mixed values' gradient times the values."""
    mixer, x = make(name), sequences()[:1]
    with mg.tracing():
        loss = mg.sum(mixer(Tensor(x)) * np.random.default_rng(4).standard_normal(x.shape))
        loss.backward()
    trace = mg.trace(loss)
    nodes = [node for node in trace.nodes if mixer in node.scope]
    maps = mixer.attention_maps(trace, nodes)
    assert maps is not None
    weights, grads = maps
    mixed = [node for node in nodes if node.operation == MIXED[name]][-1]
    [attention] = [node for node in nodes if node.operation == "decayed_attention"]
    source = next(e.source for e in trace.edges if e.target == attention.id and e.name == "v")
    values = np.asarray(trace.nodes[source].value)[0, ..., : D // H]
    assert mixed.value is not None
    assert mixed.grad is not None
    assert np.array_equal(weights, np.tril(weights))
    np.testing.assert_allclose(weights @ values, mixed.value[0], rtol=0, atol=ROUNDING)
    want = np.tril(mixed.grad[0] @ values.swapaxes(1, 2))
    np.testing.assert_allclose(grads, want, rtol=0, atol=ROUNDING)
