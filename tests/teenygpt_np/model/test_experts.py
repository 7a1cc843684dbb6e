"""Experts: the equations, one token at a time; gradients; and that a token is never dropped."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from teenygpt_np import TeenyGPT
from teenygpt_np.model.layers import MLP, Experts

Array = np.ndarray[Any, np.dtype[Any]]

B, T, D, HIDDEN, E = 2, 9, 6, 5, 4
ROUNDING = 1e-12  # in float64, if a few dozen numbers near 1 are summed in another order
APART = 1e-3  # between scores: a hundred times what differences change, so no choice changes

each_k = pytest.mark.parametrize("k", [1, 2, 3, E])


def make(k: int, num_experts: int = E) -> Experts:
    """Experts in float64 with random parameters, large enough that a router is decided."""
    experts = Experts(D, HIDDEN, num_experts, k, rng=np.random.default_rng(1), dtype=np.float64)
    rng = np.random.default_rng(2)
    for parameter in experts.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    return experts


def tokens(shape: tuple[int, ...] = (B, T)) -> Array:
    return np.random.default_rng(3).standard_normal((*shape, D))


def parameters(experts: Experts) -> dict[str, Array]:
    return {name: p.numpy() for name, p in experts.named_parameters()}


def naive_mlp(x: Array, p: dict[str, Array], i: int) -> Array:
    hidden = p[f"experts.{i}.0.weight"] @ x + p[f"experts.{i}.0.bias"]
    hidden = np.array([h * (1 + math.erf(h / math.sqrt(2))) / 2 for h in hidden])
    return p[f"experts.{i}.2.weight"] @ hidden + p[f"experts.{i}.2.bias"]


def naive_token(x: Array, p: dict[str, Array], k: int) -> tuple[Array, list[int]]:
    """One token's y, and its experts. Switch's equation 2 for k = 1, else Mixtral's."""
    scores = [float(row @ x) for row in p["router.weight"]]
    best = sorted(range(len(scores)), key=lambda i: -scores[i])[:k]
    among = range(len(scores)) if k == 1 else best
    total = sum(math.exp(scores[i]) for i in among)
    y = np.sum([math.exp(scores[i]) / total * naive_mlp(x, p, i) for i in best], axis=0)
    return y, best


@pytest.mark.usefixtures("backend")
@each_k
def test_every_token_by_hand(k: int) -> None:
    experts, x = make(k), tokens()
    want = np.array([[naive_token(token, parameters(experts), k)[0] for token in row] for row in x])
    ours = experts(Tensor(x)).data
    np.testing.assert_allclose(ours, want, rtol=0, atol=ROUNDING * np.abs(want).max())


@pytest.mark.usefixtures("backend")
@each_k
def test_a_batch_without_tokens(k: int) -> None:
    experts, x = make(k), Tensor(tokens((0, T)), requires_grad=True)
    experts(Tensor(tokens()))
    y = experts(x)
    assert y.shape == (0, T, D)
    assert experts.routing is None  # not that of the tokens before
    y.backward(np.zeros(y.shape))
    assert x.grad is not None
    assert x.grad.shape == x.shape


@pytest.mark.usefixtures("backend")
@each_k
def test_the_balance_by_hand(k: int) -> None:
    """E sum of f P: f counts the tokens of an expert, P is the mean of the full softmax."""
    experts, x = make(k), tokens()
    experts(Tensor(x))
    routing, p = experts.routing, parameters(experts)
    assert routing
    rows = x.reshape(-1, D)
    shares = np.zeros(E)
    for row in rows:
        shares[naive_token(row, p, k)[1]] += 1 / len(rows)
    odds = np.exp(rows @ p["router.weight"].T)
    mean = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(routing.load, shares, rtol=0, atol=ROUNDING)
    assert routing.imbalance.item() == pytest.approx(E * (shares * mean).sum(), abs=ROUNDING)
    assert routing.load.sum() == pytest.approx(k)


def test_a_uniform_router_has_the_least_imbalance_and_one_expert_the_most() -> None:
    experts, x = make(1), np.ones((1, T, D))
    experts.router.weight.data = np.full((E, D), 1.0)
    experts(Tensor(x))
    assert experts.routing
    assert experts.routing.imbalance.item() == pytest.approx(1)
    experts.router.weight.data = np.outer(np.arange(E), np.full(D, 20.0))
    experts(Tensor(x))
    assert experts.routing.load.tolist() == [0, 0, 0, 1]
    assert experts.routing.imbalance.item() == pytest.approx(E)


def assert_no_ties(experts: Experts, x: Array) -> None:
    scores = np.sort(x.reshape(-1, D) @ experts.router.weight.data.T, axis=1)
    assert np.diff(scores, axis=1).min() > APART


@pytest.mark.usefixtures("backend")
@each_k
@pytest.mark.parametrize("length", [1, 5])
@pytest.mark.parametrize("part", ["y", "imbalance"])
def test_every_gradient_against_differences(k: int, length: int, part: str) -> None:
    experts, x = make(k), tokens((1, length))
    assert_no_ties(experts, x)
    names = [name for name, _ in experts.named_parameters()]
    modules = {"": experts, **dict(experts.named_modules())}

    def f(x: Tensor, *given: Tensor) -> Tensor:
        for name, parameter in zip(names, given, strict=True):
            owner, _, attribute = name.rpartition(".")
            setattr(modules[owner], attribute, parameter)
        y = experts(x)
        assert experts.routing
        return y if part == "y" else experts.routing.imbalance

    mg.gradcheck(f, [x, *[p.numpy() for p in experts.parameters()]], raise_error=True)


@pytest.mark.usefixtures("backend")
@each_k
def test_a_token_does_not_depend_on_the_others(k: int) -> None:
    experts, x = make(k), tokens()
    whole = experts(Tensor(x)).data
    for t in range(T):
        alone = experts(Tensor(x[:, t : t + 1])).data
        np.testing.assert_allclose(alone, whole[:, t : t + 1], rtol=0, atol=ROUNDING)


@pytest.mark.usefixtures("backend")
def test_no_token_is_dropped_where_all_choose_one_expert() -> None:
    experts, x = make(1), np.abs(tokens((4, 40)))
    experts.router.weight.data = np.outer([0, 0, 1, 0], np.full(D, 100.0))
    ours = experts(Tensor(x)).data
    np.testing.assert_allclose(ours, experts.experts[2](Tensor(x)).data, rtol=0, atol=ROUNDING)


def test_a_switch_s_router_learns_from_the_weight() -> None:
    """Renormalized to 1, a single weight would have no gradient."""
    experts = make(1)
    experts(Tensor(tokens())).sum().backward()
    grad = experts.router.weight.grad
    assert grad is not None
    assert np.abs(grad).max() > 1e-2


def test_one_expert_is_an_mlp() -> None:
    experts, x = make(1, num_experts=1), Tensor(tokens())
    np.testing.assert_array_equal(experts(x).data, experts.experts[0](x).data)


def test_an_expert_that_nobody_chooses_has_no_gradient() -> None:
    experts = make(1)
    experts(Tensor(tokens((1, 1)))).sum().backward()
    assert experts.routing
    for load, expert in zip(experts.routing.load, experts.experts, strict=True):
        assert all((p.grad is not None) == bool(load) for p in expert.parameters())


def test_scores_far_apart_are_chosen_in_their_order() -> None:
    """In float32 all probabilities but the first are 0, and would be ties."""
    experts = Experts(1, 1, 3, 2, rng=np.random.default_rng(0))
    experts.router.weight.data = np.array([[0.0], [200.0], [400.0]], np.float32)
    y = experts(Tensor(np.ones((1, 1, 1), np.float32)))
    assert experts.routing
    assert experts.routing.load.tolist() == [0, 1, 1]
    assert np.isfinite(y.data).all()


def test_no_routing_is_kept_in_evaluation() -> None:
    experts = make(2).eval()
    experts(Tensor(tokens()))
    assert experts.routing is None


# -- in a model ------------------------------------------------------------------------------------


def test_names_and_shapes() -> None:
    shapes: dict[str, tuple[int, ...]] = {"router.weight": (E, D)}
    for i in range(E):
        shapes |= {f"experts.{i}.0.weight": (HIDDEN, D), f"experts.{i}.0.bias": (HIDDEN,)}
        shapes |= {f"experts.{i}.2.weight": (D, HIDDEN), f"experts.{i}.2.bias": (D,)}
    experts = make(2)
    experts(Tensor(tokens()))  # what it keeps of the routing is no parameter
    assert {name: p.shape for name, p in experts.named_parameters()} == shapes
    matrices = {name for name in shapes if name.startswith("e") and name.endswith("weight")}
    assert set(experts.marked("muon")) == matrices


def test_a_model_has_experts_in_every_block_or_an_mlp_where_there_is_one() -> None:
    def model(num_experts: int, num_active: int) -> TeenyGPT:
        return TeenyGPT(
            7, 11, D, 2, 2, num_blocks=2, num_experts=num_experts, num_active=num_active
        )

    assert [type(b.mlp) for b in model(1, 1).transformer_blocks] == [MLP] * 2
    blocks = model(3, 2).transformer_blocks
    assert [type(block.mlp) for block in blocks] == [Experts] * 2
    with pytest.raises(ValueError, match="num_active is 4, wanted at most num_experts, 3"):
        model(3, 4)


@pytest.mark.parametrize("k", [0, E + 1])
def test_a_number_of_active_experts_that_there_is_not(k: int) -> None:
    with pytest.raises(ValueError, match=rf"num_active is {k}, wanted 1\.\.num_experts, 4"):
        make(k)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("k", [1, 2])
def test_sampling_part_by_part_has_the_scores_of_the_whole(k: int) -> None:
    rng = np.random.default_rng(5)
    model = TeenyGPT(
        7, 11, D, 2, 2, num_blocks=2, num_experts=E, num_active=k, rng=rng, dtype=np.float64
    )
    ids = rng.integers(0, 11, (3, 7))
    model.eval()
    whole, step = model(ids).data, model.next_scores(3)
    for t in range(7):
        np.testing.assert_allclose(step(ids[:, t : t + 1]), whole[:, t], rtol=0, atol=ROUNDING)
