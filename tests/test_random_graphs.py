"""Random graphs against plain NumPy, where a derivative is an imaginary part (see registry.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from cases import Array, generators
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import STEP

import minigrad as mg
from minigrad import Tensor

# `m` is minigrad or NumPy. Each takes numbers in -1..1 to numbers in -1..1, and has no kinks.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda m, a, b: (a + b) / 2,
    "subtract": lambda m, a, b: 0.5 * (a - b),
    "multiply": lambda m, a, b: a * b,
    "divide": lambda m, a, b: a / (2 - b),
    "power": lambda m, a, b: m.exp(b * m.log(2 + a)) / 3,
    "negative": lambda m, a, b: -a,
    "tanh": lambda m, a, b: m.tanh(2 * a),
    "exp": lambda m, a, b: m.exp(a - 1),
    "sqrt": lambda m, a, b: m.sqrt(1 + (a * a)) - 1,
}
SHAPES = [(), (3,), (2, 1), (2, 3)]


class Step(NamedTuple):
    """Compute operation(a, b), a and b counted from the latest, perhaps off the tape."""

    operation: str
    a: int
    b: int
    island: str


steps = st.builds(
    Step,
    st.sampled_from(sorted(OPERATIONS)),
    # Mostly the latest, which makes graphs deep; the others make them wide.
    st.integers(0, 3),
    st.integers(0, 9),
    st.sampled_from(["", "", "", "", "", "", "detach", "no_grad"]),
)


def with_minigrad(program: list[Step], leaves: list[Tensor]) -> list[Tensor]:
    made = list(leaves)
    for name, a, b, island in program:
        operands = made[-1 - a % len(made)], made[-1 - b % len(made)]
        if island == "no_grad":
            with mg.no_grad():
                made.append(OPERATIONS[name](mg, *operands))
        else:
            made.append(OPERATIONS[name](mg, *operands))
            if island == "detach":
                made[-1] = made[-1].detach()
    return made


def with_numpy(program: list[Step], leaves: list[Array]) -> list[Array]:
    made = list(leaves)
    for name, a, b, island in program:
        y = np.asarray(OPERATIONS[name](np, made[-1 - a % len(made)], made[-1 - b % len(made)]))
        made.append(y.real.astype(complex) if island else y)
    return made


@settings(max_examples=10 * settings().max_examples)
@given(
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
    st.lists(steps, min_size=1, max_size=15),
    st.integers(0, 15),
    generators,
)
def test_random_graph(
    shapes: list[tuple[int, ...]],
    program: list[Step],
    other: int,
    rng: np.random.Generator,
) -> None:
    """The gradient of the last result and of one along the way, walked one after the other."""
    points = [np.array(rng.uniform(-1, 1, shape)) for shape in shapes]
    leaves = [Tensor(point, requires_grad=True) for point in points]
    made = with_minigrad(program, leaves)
    outputs = [len(made) - 1, other % len(made)]
    cotangents = [rng.standard_normal(made[i].shape) for i in outputs]
    for i, cotangent in zip(outputs, cotangents, strict=True):
        if made[i].requires_grad:
            made[i].backward(cotangent, retain_graph=True)

    values = with_numpy(program, [point.astype(complex) for point in points])
    for ours, want in zip(made, values, strict=True):
        assert ours.shape == want.shape
        # A few roundings of numbers within -1..1.
        np.testing.assert_allclose(ours.data, want.real, rtol=0, atol=1e-13)
    for k, leaf in enumerate(leaves):
        want = np.zeros(leaf.shape)
        for index in np.ndindex(leaf.shape):
            moved = [point.astype(complex) for point in points]
            moved[k][index] += STEP * 1j
            results = with_numpy(program, moved)
            want[index] = sum(
                np.sum(cotangent * results[i].imag) / STEP
                for i, cotangent in zip(outputs, cotangents, strict=True)
            )
        ours = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad
        # Fifteen steps, whose slopes go up to 2.
        bound = 1e-13 * max(1, np.abs(want).max(initial=0))
        np.testing.assert_allclose(ours, want, rtol=0, atol=bound)
