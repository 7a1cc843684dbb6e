"""Random graphs against plain NumPy, where a derivative is an imaginary part (see registry.py)."""

from __future__ import annotations

import collections
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from cases import Array, generators
from deep import record
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import STEP, error

import minigrad as mg
from minigrad import Tensor


def full(m: Any, x: Any) -> Any:
    return m.broadcast_to(x, (2, 3))


def swap(m: Any, a: Any) -> Any:
    """One operand whose parts are operands in turn."""
    first, rest = m.split(full(m, a), [1], axis=1)
    return m.concatenate([rest, first * m.mean(rest, 1, keepdims=True)], axis=1)


# `m` is minigrad or NumPy. Each takes numbers in -1..1 to numbers in -1..1, has no kinks, and
# gives a shape that broadcasts to (2, 3), as the leaves do.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda m, a, b: (a + b) / 2,
    "subtract": lambda m, a, b: 0.5 * (a - b),
    "multiply": lambda m, a, b: a * b,
    "divide": lambda m, a, b: a / (2 - b),
    "power": lambda m, a, b: m.exp(b * m.log(2 + a)) / 3,
    "negative": lambda m, a: -a,
    "tanh": lambda m, a: m.tanh(2 * a),
    "exp": lambda m, a: m.exp(a - 1),
    "sqrt": lambda m, a: m.sqrt(1 + (a * a)) - 1,
    "softmax": lambda m, a: m.exp(a) / m.sum(m.exp(a)),
    "sum": lambda m, a, b: m.sum(a * b, keepdims=True) / 6,
    "mean": lambda m, a: m.mean(full(m, a), axis=0),
    "matmul": lambda m, a, b: full(m, a) @ m.transpose(full(m, b)) @ full(m, a) / 6,
    "reshape": lambda m, a: m.reshape(m.transpose(full(m, a)), (2, 3)),
    "getitem": lambda m, a: full(m, a)[[1, 1], ::-1],
    "where": lambda m, a, b: m.where([True, False, True], a, b),
    "stack": lambda m, a, b: m.mean(m.stack([full(m, a), full(m, b)]), axis=0),
    "concatenate": lambda m, a, b: m.concatenate([full(m, a), full(m, b)])[1:3],
    "split": swap,
}
ARITIES = {name: len(inspect.signature(f).parameters) - 1 for name, f in OPERATIONS.items()}
SHAPES = [(), (3,), (2, 1), (2, 3)]


class Step(NamedTuple):
    """Compute operation(a, b), with a and b counted from the latest result, perhaps unrecorded."""

    operation: str
    a: int
    b: int
    island: str

    def operands(self, count: int) -> list[int]:
        """The positions of the operands among the `count` results before."""
        return [count - 1 - i % count for i in (self.a, self.b)[: ARITIES[self.operation]]]


steps = st.builds(
    Step,
    st.sampled_from(sorted(OPERATIONS)),
    # Mostly the latest, which makes graphs deep; the others make them wide.
    st.sampled_from([0, 0, 0, 1, 2]),
    st.integers(0, 9),
    st.sampled_from([*[""] * 10, "detach", "no_grad"]),
)


def with_minigrad(program: list[Step], leaves: list[Tensor]) -> list[Tensor]:
    made = list(leaves)
    for step in program:
        operands = [made[i] for i in step.operands(len(made))]
        if step.island == "no_grad":
            with mg.no_grad():
                made.append(OPERATIONS[step.operation](mg, *operands))
        else:
            made.append(OPERATIONS[step.operation](mg, *operands))
            if step.island == "detach":
                made[-1] = made[-1].detach()
    return made


def with_numpy(program: list[Step], leaves: list[Array]) -> list[Array]:
    made = list(leaves)
    for step in program:
        operands = [made[i] for i in step.operands(len(made))]
        y = np.asarray(OPERATIONS[step.operation](np, *operands))
        made.append(y.real.astype(complex) if step.island else y)
    return made


def gradient(
    program: list[Step], points: list[Array], k: int, cotangents: list[tuple[int, Array]]
) -> Array:
    """The gradient of L = sum(cotangent * result), over all cotangents, for leaf k."""
    total = np.zeros(points[k].shape)
    for index in np.ndindex(total.shape):
        moved = [point.astype(complex) for point in points]
        moved[k][index] += STEP * 1j
        results = with_numpy(program, moved)
        total[index] = sum(np.sum(c * results[i].imag) / STEP for i, c in cotangents)
    return total


TRAITS = {"diamond", "fan-out", "leaf used again", "one operand twice", "detach", "no_grad"}


def traits(program: list[Step], leaves: int) -> set[str]:
    """Which of these the graph behind the last result has, along the ways back from it."""
    ways = collections.Counter({leaves + len(program) - 1: 1})  # to each result and leaf
    users: collections.Counter[int] = collections.Counter()
    found = set()
    for place, step in reversed(list(enumerate(program, leaves))):
        if step.island and ways[place]:
            found.add(step.island)
        elif ways[place]:
            operands = step.operands(place)
            for i in operands:
                ways[i] += ways[place]
            users.update(set(operands))
            if len(set(operands)) < len(operands):
                found.add("one operand twice")
    found |= {"diamond" for i, n in ways.items() if i >= leaves and n > 1}
    found |= {"leaf used again" for i, n in users.items() if i < leaves and n > 1}
    return found | {"fan-out" for n in users.values() if n > 2}


kinds = st.lists(st.tuples(st.sampled_from(SHAPES), st.booleans()), min_size=1, max_size=3)
# Left to itself a list is short.
programs = st.integers(1, 20).flatmap(lambda n: st.lists(steps, min_size=n, max_size=n))


def test_graphs_are_none_too_simple() -> None:
    found: set[str] = set()

    @given(programs)
    def look(program: list[Step]) -> None:
        found.update(traits(program, 2))

    look()
    assert found == TRAITS


@settings(max_examples=10 * settings().max_examples)
@given(kinds, programs, st.integers(0, 20), generators)
def test_random_graph(
    kinds: list[tuple[tuple[int, ...], bool]],
    program: list[Step],
    other: int,
    rng: np.random.Generator,
) -> None:
    """Backward from the last result, then from an intermediate one."""
    points = [np.array(rng.uniform(-1, 1, shape)) for shape, _ in kinds]
    leaves = [Tensor(x, requires_grad=flag) for x, (_, flag) in zip(points, kinds, strict=True)]
    leaves[0].requires_grad = True
    made = with_minigrad(program, leaves)
    cotangents = [
        (i, rng.standard_normal(made[i].shape)) for i in (len(made) - 1, other % len(made))
    ]
    # The second walk frees what the first has kept.
    for (i, cotangent), retain in zip(cotangents, [True, False], strict=True):
        if made[i].requires_grad:
            made[i].backward(cotangent, retain_graph=retain)

    wanted = with_numpy(program, [point.astype(complex) for point in points])
    values = [(ours.data, want.real) for ours, want in zip(made, wanted, strict=True)]
    gradients = []
    for k, leaf in enumerate(leaves):
        if leaf.requires_grad:
            ours = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad
            gradients.append((ours, gradient(program, points, k, cotangents)))
        else:
            assert leaf.grad is None
    for ours, want in values + gradients:
        assert ours.shape == want.shape
        # A few roundings of numbers within -1..1, and twenty steps, whose slopes go up to 2.
        assert error(ours, want) <= 1e-13
    worst = [max(error(*pair) for pair in pairs) for pairs in (values, gradients)]
    record("a random graph", worst[0], worst[1], traits(program, len(leaves)))
