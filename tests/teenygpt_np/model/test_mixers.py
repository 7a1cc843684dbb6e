"""The contract of `Mixer`, for every kind of mixer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.model.mixers import MIXERS, Mixer

Array = np.ndarray[Any, np.dtype[Any]]

B, T, D, H = 2, 21, 8, 2
ROUNDING = 1e-12  # in float64, if a few dozen numbers near 1 are summed in another order

each = pytest.mark.parametrize("name", MIXERS)


def make(name: str, width: int = D) -> Mixer:
    """A mixer in float64 with random parameters, none of them 0 or 1."""
    mixer = MIXERS[name](width, H, rng=np.random.default_rng(1), dtype=np.float64)
    rng = np.random.default_rng(2)
    for parameter in mixer.parameters():
        parameter.data = parameter.data + 0.1 * rng.standard_normal(parameter.shape)
    return mixer


def sequences() -> Array:
    return np.random.default_rng(3).standard_normal((B, T, D))


def parts(x: Array, cuts: list[int]) -> Iterator[Tensor]:
    return map(Tensor, np.split(x, sorted(set(cuts)), axis=1))


@pytest.mark.usefixtures("backend")
@each
@given(cuts=st.lists(st.integers(1, T - 1), max_size=T))
def test_in_parts_as_a_whole(name: str, cuts: list[int]) -> None:
    mixer, x = make(name), sequences()
    with mg.no_grad():
        whole = mixer(Tensor(x)).data
        for chosen in (cuts, list(range(1, T))):
            state = mixer.initial_state(B)
            ours = np.concatenate([mixer(p, state).data for p in parts(x, chosen)], axis=1)
            np.testing.assert_allclose(ours, whole, rtol=0, atol=ROUNDING)


@pytest.mark.usefixtures("backend")
@each
def test_the_future_changes_nothing(name: str) -> None:
    mixer, x = make(name), sequences()
    before = mixer(Tensor(x)).data
    assert before.shape == x.shape
    for t in range(T - 1):
        other = x.copy()
        other[:, t + 1 :] += 1
        after = mixer(Tensor(other)).data
        np.testing.assert_allclose(after[:, : t + 1], before[:, : t + 1], rtol=0, atol=ROUNDING)
        assert (after[:, t + 1 :] != before[:, t + 1 :]).any()


@pytest.mark.usefixtures("backend")
@each
def test_a_batch_without_sequences(name: str) -> None:
    mixer, x = make(name), np.zeros((0, 5, D))
    y = mixer(Tensor(x))
    assert y.shape == x.shape
    y.backward(x)
    assert not any(p.grad is not None and p.grad.any() for p in mixer.parameters())
    with mg.no_grad():
        state = mixer.initial_state(0)
        assert [mixer(Tensor(x), state).shape for _ in range(2)] == [x.shape, x.shape]


@pytest.mark.usefixtures("backend")
@each
@pytest.mark.parametrize("length", [1, 5])
def test_every_gradient_against_differences(name: str, length: int) -> None:
    mixer, x = make(name, 4), sequences()[:, :length, :4]  # narrow, as every entry is moved
    names = [n for n, _ in mixer.named_parameters()]
    modules = {"": mixer, **dict(mixer.named_modules())}

    def f(x: Tensor, *parameters: Tensor) -> Tensor:
        for n, parameter in zip(names, parameters, strict=True):
            owner, _, attribute = n.rpartition(".")
            setattr(modules[owner], attribute, parameter)
        return mixer(x)

    mg.gradcheck(f, [x, *[p.numpy() for p in mixer.parameters()]], raise_error=True)


@each
def test_the_inspector_has_something_to_show(name: str) -> None:
    """Weights that sum up the past; or, of a state that goes through tanh, the state."""
    mixer, x = make(name), Tensor(sequences()[:1], requires_grad=True)
    with mg.tracing():
        loss = mg.sum(mixer(x) ** 2)
        loss.backward()
    trace = mg.trace(loss)
    nodes = [node for node in trace.nodes if node.operation and mixer in node.scope]
    weights, state = mixer.attention_maps(trace, nodes), mixer.state_map(trace, nodes)
    if name in ("rnn", "gru"):
        assert weights is None
        assert state is not None
        assert [part.shape for part in state] == [(T, D)] * 2
    else:
        assert state is None
        assert weights is not None
        assert {part.shape[1:] for part in weights} == {(T, T)}


@each
def test_what_a_mixer_says_of_itself(name: str) -> None:
    mixer = make(name)
    names = dict(mixer.named_parameters())
    for mark in ("muon", "no_decay"):
        assert set(mixer.marked(mark)) <= names.keys()
    assert all(names[n].ndim == 2 for n in mixer.marked("muon"))
    assert mixer.attribute in ("msha", "mixer")
