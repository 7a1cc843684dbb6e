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


def retnet(p: Parameters, x: Array) -> Array:
    q, k, v, g = (x @ p[f"{name}_proj.weight"].T for name in "qkvg")
    d = D // H
    turn = np.exp(1j * np.outer(np.arange(T), [10000 ** (-i / (d / 2 - 1)) for i in range(d // 2)]))
    q, k = ((heads(a)[..., ::2] + 1j * heads(a)[..., 1::2]) * turn for a in (q, k))
    decays = [1 - 2.0 ** (-5 - h) for h in range(H)]
    lags = np.subtract.outer(np.arange(T), np.arange(T))
    weights = np.tril([gamma ** np.maximum(lags, 0) for gamma in decays]) / np.sqrt(d)
    y = ((q @ k.conj().swapaxes(2, 3)).real * weights) @ heads(v)
    y /= np.sqrt((y**2).mean(axis=3, keepdims=True) + 1e-5)
    return joined(y) * g / (1 + np.exp(-g)) @ p["out_proj.weight"].T


def rwkv(p: Parameters, x: Array) -> Array:
    last, state = np.zeros((B, D)), np.zeros((B, H, D // H, D // H))
    u = p["time_faaaa"][:, :, None]
    out = np.empty_like(x)
    for t in range(T):
        change = last - x[:, t]
        last = x[:, t]
        m = np.tanh((last + change * p["time_maa_x"][0, 0]) @ p["time_maa_w1"])
        inputs = {
            name: last
            + change * (p[f"time_maa_{name}"][0, 0] + m[:, 8 * i : 8 * i + 8] @ p["time_maa_w2"][i])
            for i, name in enumerate("wkvrg")
        }
        low = np.tanh(inputs["w"] @ p["time_decay_w1"]) @ p["time_decay_w2"]
        w = np.exp(-np.exp(p["time_decay"][0, 0] + low)).reshape(B, H, -1, 1)
        r, k, v, g = (
            inputs[name[0]] @ p[f"{projection}.weight"].T
            for name, projection in zip("rkvg", ("receptance", "key", "value", "gate"), strict=True)
        )
        r, k, v = r.reshape(B, H, 1, -1), k.reshape(B, H, -1, 1), v.reshape(B, H, 1, -1)
        y = (r @ (state + u * k * v))[:, :, 0]
        state = w * state + k * v
        y = y - y.mean(axis=2, keepdims=True)
        y = (y / np.sqrt((y**2).mean(axis=2, keepdims=True) + 64e-5)).reshape(B, D)
        y = y * p["ln_x.weight"] + p["ln_x.bias"]
        out[:, t] = y * g / (1 + np.exp(-g)) @ p["output.weight"].T
    return out


DEFINITIONS: dict[str, Callable[[Parameters, Array], Array]] = {
    "linear-attention": linear_attention,
    "retnet": retnet,
    "rwkv": rwkv,
}
each = pytest.mark.parametrize("name", DEFINITIONS)


@pytest.mark.usefixtures("backend")
@each
def test_definition(name: str) -> None:
    mixer, x = make(name), sequences()
    parameters = {n: p.numpy() for n, p in mixer.named_parameters()}
    want = DEFINITIONS[name](parameters, x)
    np.testing.assert_allclose(mixer(Tensor(x)).data, want, rtol=0, atol=ROUNDING)


MARKS = {
    "linear-attention": ({"in_proj_weight", "out_proj.weight"}, set()),
    "retnet": ({f"{name}_proj.weight" for name in ("q", "k", "v", "g", "out")}, set()),
    "rwkv": (
        {f"{name}.weight" for name in ("receptance", "key", "value", "gate", "output")},
        {name for name, _ in make("rwkv").named_parameters() if name.startswith("time_")},
    ),
}


@each
def test_what_muon_may_have_and_what_takes_no_decay(name: str) -> None:
    mixer = make(name)
    assert (set(mixer.marked("muon")), set(mixer.marked("no_decay"))) == MARKS[name]


@pytest.mark.parametrize(("name", "width"), [("retnet", 9), ("retnet", 8), ("rwkv", 8)])
def test_a_width_that_heads_do_not_divide_is_refused(name: str, width: int) -> None:
    with pytest.raises(ValueError, match=f"width {width} can't be divided into 3 heads"):
        MIXERS[name](width, 3, rng=np.random.default_rng(0))


# -- the maps --------------------------------------------------------------------------------------

# The operation that gives the mixed values.
MIXED = {"linear-attention": "divide", "retnet": "decayed_attention", "rwkv": "decayed_attention"}


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
    mixed = [n for n in nodes if n.operation == MIXED[name] and len(n.shape) == 4][-1]
    [attention] = [node for node in nodes if node.operation == "decayed_attention"]
    source = next(e.source for e in trace.edges if e.target == attention.id and e.name == "v")
    values = np.asarray(trace.nodes[source].value)[0, :, -T:, : D // H]
    y, dy = (
        heads(np.asarray(a).reshape(1, T, D))[0] if mixed.shape[1] == T else np.asarray(a)[0]
        for a in (mixed.value, mixed.grad)
    )
    assert np.array_equal(weights, np.tril(weights))
    np.testing.assert_allclose(weights @ values, y, rtol=0, atol=ROUNDING)
    want = np.tril(dy @ values.swapaxes(1, 2))
    np.testing.assert_allclose(grads, want, rtol=0, atol=ROUNDING)
