"""Layers: their initial weights, the names of their parameters, and what they compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor
from minigrad.optim import AdamW
from teenygpt_np import TeenyGPT
from teenygpt_np.model.block import Block
from teenygpt_np.model.layers import (
    GELU,
    GLU,
    MLP,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    Sequential,
    waves,
)
from teenygpt_np.model.mixers.attention import CausalSelfAttention
from teenygpt_np.model.module import Module, shapes_only

Array = np.ndarray[Any, np.dtype[Any]]

V, T, D, H, NEURONS = 11, 7, 8, 2, 3
# Rounding in float64, if a few hundred numbers near 1 are summed in another order.
ROUNDING = 1e-12


def tiny_model(blocks: int = 2, dropout: float = 0.1, positions: str = "auto") -> TeenyGPT:
    rng = np.random.default_rng(3)
    return TeenyGPT(T, V, D, NEURONS, H, dropout, blocks, positions=positions, rng=rng)


def made_block(
    width: int, neurons: int, heads: int, rng: np.random.Generator, dtype: Any = None
) -> Block:
    attention = CausalSelfAttention(width, heads, rng=rng, dtype=dtype)
    return Block(attention, MLP(width, neurons * width, rng=rng, dtype=dtype), width, dtype=dtype)


def randomize(module: Module, seed: int = 9) -> Module:
    """Set all parameters to random values, so that no bias is 0 and no norm's weight is 1."""
    rng = np.random.default_rng(seed)
    module.load_state_dict(
        {k: rng.standard_normal(a.shape) for k, a in module.state_dict().items()}
    )
    return module


# -- initial weights -------------------------------------------------------------------------------


def assert_uniform(values: Array, bound: float) -> None:
    """Values are within the bound, come close to it, and have the moments of U(-bound, bound)."""
    n = values.size
    assert np.abs(values).max() <= bound * (1 + 1e-6)  # float32 may round the bound up
    # The largest of n is below the bound by about bound/n; 20 times that comes once in e^20.
    assert np.abs(values).max() >= bound * (1 - 20 / n)
    # Five standard errors: that of a mean is sigma/sqrt(n), of a uniform's variance 0.9 of it.
    assert abs(values.mean()) <= 5 * bound / math.sqrt(3 * n)
    assert abs(values.var() / (bound**2 / 3) - 1) <= 5 * 0.9 / math.sqrt(n)


def test_linear_starts_uniform_by_its_inputs(rng: np.random.Generator) -> None:
    layer = Linear(400, 50, rng=rng)
    assert_uniform(layer.weight.data, 1 / 20)
    assert_uniform(Linear(4, 2000, rng=rng).bias.data, 1 / 2)
    assert (layer.weight.shape, layer.bias.shape) == ((50, 400), (50,))


def test_embedding_starts_normal(rng: np.random.Generator) -> None:
    values = Embedding(100, 200, rng=rng).weight.data
    n = values.size
    assert abs(values.mean()) <= 5 / math.sqrt(n)  # five standard errors
    assert abs(values.var() - 1) <= 5 * math.sqrt(2 / n)
    # 4.6% of a normal's values are beyond 2: a uniform of the same variance has none.
    assert abs((np.abs(values) > 2).mean() - 0.0455) <= 5 * math.sqrt(0.0455 / n)


def test_layer_norm_starts_at_one_and_zero() -> None:
    layer = LayerNorm(5)
    assert (layer.weight.data.tolist(), layer.bias.data.tolist()) == ([1.0] * 5, [0.0] * 5)
    assert layer.eps == 1e-5


def test_attention_starts_xavier_with_biases_at_zero(rng: np.random.Generator) -> None:
    layer = CausalSelfAttention(96, 4, rng=rng)
    assert_uniform(layer.in_proj_weight.data, math.sqrt(6 / (96 + 3 * 96)))
    assert_uniform(layer.out_proj.weight.data, 1 / math.sqrt(96))
    assert not layer.in_proj_bias.data.any()
    assert not layer.out_proj.bias.data.any()


def test_mlp_starts_by_each_layer_s_inputs(rng: np.random.Generator) -> None:
    first, _, last = MLP(16, 900, rng=rng).layers
    assert_uniform(first.weight.data, 1 / 4)
    assert_uniform(first.bias.data, 1 / 4)
    assert_uniform(last.weight.data, 1 / 30)
    assert np.abs(last.bias.data).max() <= 1 / 30
    assert last.bias.data.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_have_the_dtype_and_want_gradients(dtype: Any) -> None:
    model = TeenyGPT(T, V, D, NEURONS, H, rng=np.random.default_rng(0), dtype=dtype)
    assert {p.dtype for p in model.parameters()} == {np.dtype(dtype)}
    assert all(p.requires_grad for p in model.parameters())


# -- parameters ------------------------------------------------------------------------------------


def test_names_and_shapes() -> None:
    shapes = {
        "embedding.weight": (V, D),
        "positional_embedding.weight": (T, D),
        "logits.0.weight": (V, D),
        "logits.0.bias": (V,),
    }
    for i in range(3):
        block = {
            "msha.in_proj_weight": (3 * D, D),
            "msha.in_proj_bias": (3 * D,),
            "msha.out_proj.weight": (D, D),
            "msha.out_proj.bias": (D,),
            "layer_norm1.weight": (D,),
            "layer_norm1.bias": (D,),
            "layer_norm2.weight": (D,),
            "layer_norm2.bias": (D,),
            "mlp.0.weight": (NEURONS * D, D),
            "mlp.0.bias": (NEURONS * D,),
            "mlp.2.weight": (D, NEURONS * D),
            "mlp.2.bias": (D,),
        }
        shapes |= {f"transformer_blocks.{i}.{name}": shape for name, shape in block.items()}
    model = tiny_model(blocks=3, positions="learned")
    assert {name: p.shape for name, p in model.named_parameters()} == shapes
    assert model.num_parameters() == sum(math.prod(shape) for shape in shapes.values())


class Nested(Module):
    def __init__(self, rng: np.random.Generator) -> None:
        self.last_layer = Sequential(Linear(1, 1, rng=rng), GELU(), Linear(1, 1, rng=rng))
        self.own = Tensor([1.0], requires_grad=True)
        self.many = [LayerNorm(1), LayerNorm(2)]
        self.number, self.text = 3, "no parameter"
        self.drop = Dropout(0.5, rng=rng)


def test_traversal_is_own_tensors_then_children_in_the_order_of_attributes(
    rng: np.random.Generator,
) -> None:
    module = Nested(rng)
    names = [name for name, _ in module.named_parameters()]
    assert names == [
        "own",
        *(f"last_layer.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")),
        *(f"many.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")),
    ]
    for (_, parameter), same in zip(module.named_parameters(), module.parameters(), strict=True):
        assert parameter is same
    assert module.parameters()[0] is module.own
    assert module.num_parameters() == 1 + 4 + 6
    assert next(module.named_parameters("a."))[0] == "a.own"


def test_zero_grad_forgets_every_gradient() -> None:
    model = tiny_model()
    model.loss(np.arange(2 * T).reshape(2, T) % V).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_train_and_eval_reach_every_module(rng: np.random.Generator) -> None:
    module = Nested(rng)
    assert module.eval() is module
    below = [module, module.drop, module.last_layer, *module.last_layer.layers, *module.many]
    assert [m.training for m in below] == [False] * len(below)
    assert module.train() is module
    assert [m.training for m in below] == [True] * len(below)
    module.train(False)
    assert [m.training for m in below] == [False] * len(below)


def test_dropout_drops_in_training_only(rng: np.random.Generator) -> None:
    model = tiny_model(dropout=0.5)
    x = np.arange(T)[None]
    one, two = (model.log_probs(x).data for _ in range(2))
    assert not np.array_equal(one, two)
    model.eval()
    one, two = (model.log_probs(x).data for _ in range(2))
    np.testing.assert_array_equal(one, two)

    dropout = Dropout(0.25, rng=rng)
    y = dropout(mg.Tensor(np.ones(40_000))).data
    assert set(np.unique(y)) == {0, 4 / 3}
    assert abs((y == 0).mean() - 0.25) <= 5 * math.sqrt(0.25 * 0.75 / 40_000)  # standard errors
    assert (dropout.eval()(mg.Tensor(np.ones(9))).data == 1).all()


# -- state -----------------------------------------------------------------------------------------


def test_a_state_survives_the_round_trip() -> None:
    model, other = randomize(tiny_model()), tiny_model()
    other.load_state_dict(model.state_dict())
    for (name, ours), (_, theirs) in zip(
        model.named_parameters(), other.named_parameters(), strict=True
    ):
        np.testing.assert_array_equal(ours.data, theirs.data, err_msg=name)
        assert ours.dtype == theirs.dtype == np.float32


def test_a_state_is_a_copy_both_ways() -> None:
    model = tiny_model()
    before = model.state_dict()
    for array in model.state_dict().values():
        array += 1
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    given = model.state_dict()
    model.load_state_dict(given)
    for array in given.values():
        array += 1
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_loading_keeps_the_parameters_themselves_and_their_dtype() -> None:
    model = tiny_model()
    parameters = model.parameters()
    model.load_state_dict({k: a.astype(np.float64) for k, a in model.state_dict().items()})
    for ours, same in zip(model.parameters(), parameters, strict=True):
        assert ours is same
        assert ours.dtype == np.float32


def without(state: dict[str, Any]) -> dict[str, Any]:
    return {k: a for k, a in state.items() if k != "logits.0.bias"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, r"missing: \['logits.0.bias'\], unknown: \[\]"),
        (lambda s: s | {"more": 1}, r"missing: \[\], unknown: \['more'\]"),
        (
            lambda s: without(s) | {"b": 1, "a": 1},
            r"missing: \['logits.0.bias'\], unknown: \['a', 'b'\]",
        ),
        (lambda s: s | {"logits.0.bias": np.ones(4)}, r"logits.0.bias has shape \(4,\), wanted"),
        # A shape that would broadcast is refused too.
        (lambda s: s | {"logits.0.bias": np.ones((1, V))}, r"has shape \(1, 11\), wanted \(11,\)"),
        (lambda s: s | {"logits.0.bias": ["x"] * V}, "logits.0.bias"),
    ],
    ids=["missing", "unknown", "both", "shape", "broadcast", "words"],
)
def test_a_state_that_does_not_fit_changes_nothing(
    change: Callable[[dict[str, Any]], dict[str, Any]], message: str
) -> None:
    model = tiny_model()
    before = model.state_dict()
    state = change({k: a + 1 for k, a in before.items()})
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


# -- what they compute -----------------------------------------------------------------------------


def double(module: Module) -> dict[str, Array]:
    return {name: p.data.astype(np.float64) for name, p in module.named_parameters()}


def naive_linear(x: Array, weight: Array, bias: Array) -> Array:
    return np.array([weight @ row + bias for row in x])


def naive_attention(x: Array, p: dict[str, Array], heads: int) -> Array:
    """Attention in one row (T, D), one query and one head at a time."""
    width = x.shape[1]
    size = width // heads
    q, k, v = np.split(naive_linear(x, p["in_proj_weight"], p["in_proj_bias"]), 3, axis=1)
    mixed = np.zeros_like(x)
    for h in range(heads):
        own = slice(h * size, (h + 1) * size)
        for t in range(len(x)):
            seen = [q[t, own] @ k[s, own] / math.sqrt(size) for s in range(t + 1)]
            weights = [math.exp(score - max(seen)) for score in seen]
            for s, weight in enumerate(weights):
                mixed[t, own] += weight / sum(weights) * v[s, own]
    return naive_linear(mixed, p["out_proj.weight"], p["out_proj.bias"])


def naive_norm(x: Array, weight: Array, bias: Array) -> Array:
    rows = [(row - row.mean()) / math.sqrt(row.var() + 1e-5) for row in x]
    return np.array(rows) * weight + bias


def naive_gelu(x: Array) -> Array:
    return np.vectorize(lambda z: z * 0.5 * (1 + math.erf(z / math.sqrt(2))))(x)


def naive_block(x: Array, p: dict[str, Array], heads: int) -> Array:
    attention = {name.removeprefix("msha."): a for name, a in p.items() if "msha." in name}
    x = x + naive_attention(x, attention, heads)
    x = naive_norm(x, p["layer_norm1.weight"], p["layer_norm1.bias"])
    hidden = naive_gelu(naive_linear(x, p["mlp.0.weight"], p["mlp.0.bias"]))
    x = x + naive_linear(hidden, p["mlp.2.weight"], p["mlp.2.bias"])
    return naive_norm(x, p["layer_norm2.weight"], p["layer_norm2.bias"])


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("heads", [1, 2, 8])
def test_attention_is_the_naive_loop(rng: np.random.Generator, heads: int) -> None:
    layer = CausalSelfAttention(D, heads, rng=rng, dtype=np.float64)
    randomize(layer)
    x = rng.standard_normal((3, T, D))
    ours = layer(Tensor(x)).data
    want = np.array([naive_attention(one, double(layer), heads) for one in x])
    np.testing.assert_allclose(ours, want, rtol=0, atol=ROUNDING * np.abs(want).max())


@pytest.mark.usefixtures("backend")
def test_a_block_adds_and_then_norms(rng: np.random.Generator) -> None:
    block = made_block(D, NEURONS, H, rng, np.float64)
    randomize(block)
    x = rng.standard_normal((2, T, D))
    ours = block(Tensor(x)).data
    want = np.array([naive_block(one, double(block), H) for one in x])
    np.testing.assert_allclose(ours, want, rtol=0, atol=ROUNDING * np.abs(want).max())


@pytest.mark.usefixtures("backend")
def test_mlp_is_its_three_layers_one_by_one(rng: np.random.Generator) -> None:
    layer = MLP(D, NEURONS * D, rng=rng, dtype=np.float64)
    x = Tensor(rng.standard_normal((2, T, D)))
    one_by_one = Sequential.forward(layer, x).data
    np.testing.assert_allclose(layer(x).data, one_by_one, rtol=0, atol=ROUNDING)


def test_embedding_looks_rows_up_and_linear_multiplies(rng: np.random.Generator) -> None:
    embedding = Embedding(V, D, rng=rng)
    ids = np.array([[3, 0], [10, 3]])
    np.testing.assert_array_equal(embedding(ids).data, embedding.weight.data[ids])
    linear = Linear(D, 3, rng=rng, dtype=np.float64)
    x = rng.standard_normal((5, D))
    want = naive_linear(x, linear.weight.data, linear.bias.data)
    np.testing.assert_allclose(linear(Tensor(x)).data, want, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("heads", [0, -2, 3])
def test_heads_must_divide_the_width(rng: np.random.Generator, heads: int) -> None:
    with pytest.raises(ValueError, match=f"width 8 can't be divided into {heads} heads"):
        CausalSelfAttention(8, heads, rng=rng)


def test_operations_are_traced_in_their_module_s_scope(rng: np.random.Generator) -> None:
    block = made_block(8, 2, 2, rng)
    modules = dict(block.named_modules())
    assert list(modules)[:3] == ["msha", "msha.out_proj", "layer_norm1"]
    assert modules["mlp.2"].num_parameters() == 8 * 16 + 8
    with mg.tracing():
        y = block(Tensor(np.ones((1, 3, 8))))
    scopes = {n.operation: n.scope for n in mg.trace(y).nodes}
    assert scopes["mlp"] == (block, modules["mlp"])
    assert scopes["add"] == (block,)
    linear = [n.scope for n in mg.trace(y).nodes if n.operation == "linear"]
    assert linear[0] == (block, modules["msha"])
    assert linear[-1] == (block, modules["msha"], modules["msha.out_proj"])


# -- what modules say of their parameters ----------------------------------------------------------


def test_muon_may_have_the_matrices_of_the_blocks() -> None:
    model = tiny_model()
    matrices = {n for n, p in model.named_parameters() if n.startswith("tr") and p.ndim == 2}
    assert set(model.marked("muon")) == matrices
    assert len(matrices) == 8
    assert list(model.marked("no_decay")) == []


def test_marks_have_the_names_of_parameters(rng: np.random.Generator) -> None:
    class Scaled(Module):
        no_decay = ("scale",)

        def __init__(self) -> None:
            self.scale = Tensor([1.0], requires_grad=True)
            self.parts = [Linear(2, 2, rng=rng), Linear(2, 2, rng=rng)]

    outer = Sequential(Scaled(), GELU())
    assert list(outer.marked("no_decay")) == ["0.scale"]
    assert list(outer.marked("muon")) == ["0.parts.0.weight", "0.parts.1.weight"]


def test_a_model_of_shapes_only_takes_no_memory() -> None:
    with shapes_only():
        outline = tiny_model()
        huge = TeenyGPT(10_000, 1000, 1_000_000, 1_000_000, num_blocks=2)
    real = tiny_model()
    assert [(n, p.shape, p.dtype) for n, p in outline.named_parameters()] == [
        (n, p.shape, p.dtype) for n, p in real.named_parameters()
    ]
    assert huge.num_parameters() > 10**18
    assert real.num_parameters() == outline.num_parameters()
    for parameter in (*outline.parameters(), *huge.parameters()):
        assert parameter.requires_grad
        assert set(parameter.data.strides) <= {0}


def test_evaluating_ends_with_the_block() -> None:
    model = tiny_model()
    for mode in (True, False):
        model.train(mode)
        with model.evaluating():
            assert not model.dropout.training
        assert model.training == model.dropout.training == mode


def test_parameters_are_found_in_lists_tuples_and_dicts(rng: np.random.Generator) -> None:
    class Held(Module):
        def __init__(self) -> None:
            self.pair = Linear(2, 2, rng=rng), GELU()
            self.named = {"a": Linear(2, 2, rng=rng), "b": [Linear(2, 2, rng=rng)]}
            self.scales = [Tensor([1.0], requires_grad=True)]

    names = ["scales.0"]
    for path in ("pair.0", "named.a", "named.b.0"):
        names += [f"{path}.weight", f"{path}.bias"]
    held = Held()
    assert [name for name, _ in held.named_parameters()] == names
    assert set(held.marked("muon")) == {name for name in names if name.endswith("weight")}
    assert held.num_parameters() == 1 + 3 * 6
    held.eval()
    assert not held.pair[0].training


def test_a_parameter_that_is_used_twice_is_one(rng: np.random.Generator) -> None:
    """As where the output layer has the embedding's weights: PyTorch's `parameters()` as well."""
    first, second = Linear(3, 3, rng=rng), Linear(3, 3, rng=rng)
    second.weight = first.weight
    tied = Sequential(first, second)
    assert [name for name, _ in tied.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert tied.num_parameters() == 9 + 3 + 3
    assert tied.state_dict().keys() == {"0.weight", "0.bias", "1.bias"}
    optimizer = AdamW(tied.parameters(), lr=0.1)
    before = first.weight.numpy()
    tied(Tensor(np.ones((1, 3)))).sum().backward()
    optimizer.step()
    assert (second.weight.data != before).all()
    assert second.weight is first.weight
    with pytest.raises(ValueError, match=r"unknown: \['1.weight'\]"):
        tied.load_state_dict(tied.state_dict() | {"1.weight": np.zeros((3, 3))})


@pytest.mark.parametrize("width", [2, 6, 7])
def test_waves(width: int) -> None:
    w = waves((9, width))
    a = 1000.0 ** -np.linspace(0, 1, (width + 1) // 2)
    for t, row in enumerate(w):
        both = [f(a_i * t) for a_i in a for f in (np.sin, np.cos)]
        np.testing.assert_allclose(row, np.sqrt(2) * np.array(both[:width]), rtol=0, atol=1e-14)


def test_waves_are_as_like_as_they_are_near() -> None:
    """The product of two depends on their distance alone; the mean square is 1."""
    products = (w := waves((30, 16))) @ w.T
    for distance in range(30):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=0, atol=1e-12)
    assert products[0, 0] == pytest.approx(16)
    assert products[0, 0] > products[0, 1] > products[0, 2]


def test_glu() -> None:
    x = Tensor(np.random.default_rng(0).normal(0, 3, (2, 3, 8)), requires_grad=True)
    y = GLU()(x)
    a, b = np.split(x.data, 2, axis=-1)
    np.testing.assert_allclose(y.data, a / (1 + np.exp(-b)), rtol=1e-13)
    assert mg.gradcheck(GLU(), x)
    assert np.isfinite(GLU()(Tensor(np.array([[1.0, 1e4], [1.0, -1e4]]))).data).all()
