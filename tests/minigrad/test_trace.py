"""The tape as data: nodes, edges, values, gradients, what is kept, and gradients by differences."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, Trace, ops
from minigrad.optim import SGD
from minigrad.tape import observing
from minigrad.trace import formulas
from teenygpt_np.model.teenygpt import TeenyGPT

RNG = np.random.default_rng(0)
IDS = RNG.integers(1, 12, (2, 7))


def leaf(*shape: int) -> Tensor:
    return Tensor(RNG.standard_normal(shape), requires_grad=True)


def traced_model() -> tuple[TeenyGPT, Trace]:
    """A model with what is easy to get wrong: leaves and values that are used twice."""
    model = TeenyGPT(8, 13, 8, 2, 2, num_blocks=2, rng=np.random.default_rng(1)).eval()
    with mg.tracing():
        loss = model.loss(IDS)
        loss.backward()
    return model, mg.trace(loss)


def test_the_graph_as_the_tape_has_it() -> None:
    a, b = leaf(2, 3), leaf(3)
    graph = mg.trace((a * b + a).sum())
    assert [(n.operation, n.shape) for n in graph.nodes] == [
        ("", (2, 3)),
        ("", (3,)),
        ("multiply", (2, 3)),
        ("add", (2, 3)),
        ("sum", ()),
    ]
    assert [(e.source, e.target, e.name) for e in graph.edges] == [
        (0, 2, "a"),
        (1, 2, "b"),
        (2, 3, "a"),
        (0, 3, "b"),
        (3, 4, "x"),
    ]
    product = graph.nodes[2]
    assert (product.equation, product.gradients) == ("y = a b", "da = dy b, db = dy a")
    assert product.keeps == "Keeps a and b"
    assert {(k.name, k.shape, k.dtype, k.bytes) for k in product.kept} == {
        ("a", (2, 3), "float64", 48),
        ("b", (3,), "float64", 24),
    }
    assert [n.kept_bytes for n in graph.nodes] == [0, 0, 72, 0, 0]
    assert [n.value is None for n in graph.nodes] == [False, False, True, True, True]
    assert graph.nodes[0].leaf is a
    assert (product.caller, graph.backward_order) == (None, ())


def test_memory_that_two_nodes_keep_counts_once() -> None:
    x = leaf(10)
    graph = mg.trace((x * x) * x[2:5].sum())
    kept = [n.kept_bytes for n in graph.nodes]
    assert kept == [0, 80, 0, 0, 88]  # x; x^2 and the sum
    assert graph.kept_bytes == 168
    assert mg.trace(x[2:5] * x[4:].sum() * 1.0).kept_bytes == 24 + 8 + 8 + 24


def test_what_tracing_saw() -> None:
    a, b = leaf(2, 3), leaf(3)
    with mg.tracing():
        y = a * b + a
        y.backward(dy := RNG.standard_normal((2, 3)))
    graph = mg.trace(y)
    values = [n.value for n in graph.nodes]
    for value, want in zip(values, [a.data, b.data, a.data * b.data, y.data], strict=True):
        np.testing.assert_array_equal(value, want)
    for i, want in enumerate([dy * b.data + dy, (dy * a.data).sum(axis=0), dy, dy]):
        np.testing.assert_allclose(graph.nodes[i].grad, want, rtol=1e-15)  # type: ignore[arg-type]
    np.testing.assert_array_equal(graph.edges[0].grad, dy * b.data)
    np.testing.assert_array_equal(graph.edges[3].grad, dy)
    assert graph.backward_order == (3, 2)


def test_the_lines_of_rule_vjp_and_caller() -> None:
    with mg.tracing():
        y = leaf(2, 2) @ leaf(2)
    node = mg.trace(y).nodes[-1]
    assert node.caller is not None
    assert Path(node.caller.file) == Path(__file__)
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[node.caller.number - 1]
    assert line.strip() == "y = leaf(2, 2) @ leaf(2)"
    source = Path(ops.linalg.__file__).read_text(encoding="utf-8").splitlines()
    for place, text in ((node.rule, "@differentiable"), (node.vjp, "def vjp(dy):")):
        assert place is not None
        assert str(place) == f"{ops.linalg.__file__}:{place.number}"
        assert source[place.number - 1].strip() == text


def test_an_operation_of_one_s_own_and_its_constants() -> None:
    @mg.differentiable(constants=["mask"])
    def masked(mask, x, /, scale=1.0):  # type: ignore[no-untyped-def]
        return scale * mask * x, lambda dy: (None, scale * mask * dy)

    mask = np.array([True, False])
    with mg.tracing():
        y = masked(mask, x := leaf(2), 3.0).sum()
        y.backward()
    node = mg.trace(y).nodes[1]
    assert (node.operation, node.equation, list(node.constants)) == ("masked", "", ["mask"])
    assert mg.trace(y).numeric_gradient(0, (0,)) == pytest.approx(3, rel=1e-9)
    np.testing.assert_array_equal(x.grad, [3, 0])


def test_gradients_of_the_model_are_the_leaves_own(backend: str) -> None:
    model, graph = traced_model()
    leaves = {id(n.leaf): n for n in graph.nodes if n.leaf is not None}
    for parameter in model.parameters():
        np.testing.assert_array_equal(leaves[id(parameter)].grad, parameter.grad)


def test_a_gradient_is_the_sum_of_what_came_along_the_edges() -> None:
    _, graph = traced_model()
    for node in graph.nodes[:-1]:
        parts = [e.grad for e in graph.edges if e.source == node.id]
        assert node.grad is not None
        np.testing.assert_allclose(node.grad, sum(parts), rtol=1e-6, atol=1e-7)  # type: ignore[arg-type]


def test_differences_agree_with_the_way_back(backend: str) -> None:
    """At every node. Both start from float32 values, but only backward computes in float32."""
    _, graph = traced_model()
    rng = np.random.default_rng(2)
    for node in graph.nodes:
        index = tuple(int(rng.integers(n)) for n in node.shape)
        assert node.grad is not None
        numeric = graph.numeric_gradient(node.id, index)
        assert numeric == pytest.approx(float(node.grad[index]), rel=1e-4, abs=1e-6)


def test_differences_use_no_vjp() -> None:
    @mg.differentiable
    def wrong(x, /):  # type: ignore[no-untyped-def]
        return x * x, lambda dy: (dy * x,)

    with mg.tracing():
        y = (wrong(Tensor([3.0], requires_grad=True)) * 2).sum()
        y.backward()
    graph = mg.trace(y)
    assert graph.nodes[0].grad == 6
    assert graph.numeric_gradient(0, (0,)) == pytest.approx(12, rel=1e-6)


def test_what_the_optimizer_does_afterwards_changes_nothing() -> None:
    x = leaf(3)
    with mg.tracing():
        y = (x * x).sum()
        y.backward()
    was = x.numpy()
    SGD([x], lr=0.1).step()
    graph = mg.trace(y)
    np.testing.assert_array_equal(graph.nodes[0].value, was)
    assert graph.numeric_gradient(0, (0,)) == pytest.approx(2 * was[0], rel=1e-8)


def test_what_cannot_be_computed_again_has_no_differences() -> None:
    x, rng = leaf(3), np.random.default_rng(0)
    with mg.tracing():
        a, dropped, whole = x * 2.0, mg.dropout(x, rng=rng), mg.dropout(x, rng=rng, training=False)
    b = a * 3.0
    with mg.tracing():
        y, z, same = (a + b).sum(), dropped.sum(), whole.sum()
    before = rng.bit_generator.state
    with pytest.raises(ValueError, match=r"node 2 was recorded without minigrad\.tracing\(\)"):
        mg.trace(y).numeric_gradient(0, (0,))
    with pytest.raises(ValueError, match="node 1 draws random numbers, and would now draw others"):
        mg.trace(z).numeric_gradient(0, (0,))
    assert mg.trace(z).numeric_gradient(-2, (0,)) == pytest.approx(1)
    assert mg.trace(same).numeric_gradient(0, (0,)) == pytest.approx(1)
    assert rng.bit_generator.state == before


def test_the_order_is_that_of_the_way_back() -> None:
    ran: list[Any] = []

    class Watcher:
        def forward(self, *args: object) -> None: ...

        def backward(self, node: object, *args: object) -> None:
            if node not in ran:
                ran.append(node)

    x = leaf(3)
    with mg.tracing(), observing(Watcher()):
        a, b = x.exp(), x.tanh()
        y = (b * a + b).sum()
        y.backward()
    graph = mg.trace(y)
    assert [graph.nodes[i].operation for i in graph.backward_order] == [n.name for n in ran]
    assert [n.name for n in ran] == ["sum", "add", "multiply", "tanh", "exp"]


def test_the_last_backward_counts() -> None:
    x = leaf(3)
    with mg.tracing():
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward(2.0)
    graph = mg.trace(y)
    np.testing.assert_array_equal(graph.nodes[0].grad, 4 * x.data)
    assert graph.backward_order == (2, 1)


def test_scopes() -> None:
    x = leaf(2)
    with mg.tracing(), mg.scope("outer"):
        with mg.scope("inner"):
            a = x.exp()
        with pytest.raises(ValueError, match="stop"), mg.scope("broken"):
            raise ValueError("stop")
        b = a.sum()
    assert [n.scope for n in mg.trace(b).nodes] == [(), ("outer", "inner"), ("outer",)]


def test_nothing_is_noted_outside_of_the_block_or_in_another_thread() -> None:
    x, made = leaf(2), []
    with mg.tracing():
        a = x.exp()
        thread = threading.Thread(target=lambda: made.append(x.exp()))
        thread.start()
        thread.join()
    graph = mg.trace(a + made[0] + x)
    seen = [n.operation for n in graph.nodes if n.value is not None and n.operation]
    assert seen == ["exp"]


def test_refused() -> None:
    x = leaf(2)
    y = x.exp().sum()
    with pytest.raises(ValueError, match=r"node 1 was recorded without minigrad\.tracing\(\)"):
        mg.trace(y).numeric_gradient(1, (0,))
    y.backward()
    with pytest.raises(RuntimeError, match=r"that a backward\(\) freed; trace before it"):
        mg.trace(y)
    with pytest.raises(RuntimeError, match="no recorded operation made"):
        mg.trace(x)


def test_dot() -> None:
    a = leaf(2, 3)
    text = mg.trace((a * 2.0).sum()).to_dot()
    assert text.startswith("digraph {\n")
    assert text.endswith("}\n")
    assert r'0 [label="leaf\n(2, 3)" shape=box]' in text
    assert r'1 [label="multiply\n(2, 3)"]' in text
    assert re.findall(r'(\d) -> (\d) \[label="(\w+)"', text) == [("0", "1", "a"), ("1", "2", "x")]
    assert text.count("{") == text.count("}")


def test_formulas_of_what_has_none() -> None:
    def plain() -> None:
        """Nothing of the kind."""

    assert formulas(plain) == ("Nothing of the kind", "", "")
    assert formulas(lambda: None) == ("", "", "")
