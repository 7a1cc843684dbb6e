"""The tape: what was computed, and the walk back over it that gives every gradient.

Every operation on a Tensor that needs a gradient leaves a `Node` behind. A node holds a function
that turns the gradient of the operation's output into gradients of its inputs (the vector-Jacobian
product, "vjp"), and says where those inputs came from: other nodes, or leaves. `backpropagate`
visits the nodes from the last made to the first. No operation's mathematics is in this file; that
is in `minigrad.ops`.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Vjp: TypeAlias = Callable[[Array], tuple[Any, ...]]

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_checking: ContextVar[bool] = ContextVar("checking", default=False)
_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())
_numbers = itertools.count()
_adding = threading.Lock()  # two threads may add to the gradient of one leaf


class Leaf(Protocol):
    """Where the walk back ends: a Tensor that no operation made, and whose gradient is wanted."""

    grad: Array | None

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the gradient, too."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the gradient, too."""


class Node:
    """One recorded operation.

    number: nodes are numbered in the order in which they are made.
    parents: for each input the node that made it, the leaf that it is, or None: no gradient needed.
    vjp: from dy, the gradient of the output, to one gradient per input. It holds the arrays that
        it needs, in its closure. None once a backward pass has freed the node.
    record: what `minigrad.tracing()` has seen of it.

    A node holds no Tensor but the leaves, so an activation that only its own vjp needs is freed as
    soon as that vjp has run.
    """

    __slots__ = ("dtype", "name", "number", "parents", "record", "shape", "vjp")

    def __init__(
        self, name: str, value: Array, parents: tuple[Node | Leaf | None, ...], vjp: Vjp
    ) -> None:
        self.number = next(_numbers)
        self.name = name
        self.shape = value.shape
        self.dtype = value.dtype
        self.parents = parents
        self.vjp: Vjp | None = vjp
        self.record: Any = None

    def __repr__(self) -> str:
        return f"<{self.name} {self.shape} {self.dtype}>"

    def free(self) -> None:
        """Drop what is kept for the walk back."""
        self.vjp, self.parents = None, ()


# -- the walk back ---------------------------------------------------------------------------------


def backpropagate(output: Node | Leaf, seed: Array, retain_graph: bool) -> None:
    """Add d(loss)/d(leaf) to the `.grad` of every leaf, given seed = d(loss)/d(output).

    This is the chain rule: the gradient of x is the sum of what the vjps of all operations on x
    give for it. These were made after x, so that the sum is complete when the walk comes to x.

    retain_graph: keep the nodes for another walk. Without it each is freed as soon as it has been
        visited, so memory falls as the walk goes on.

    The leaves get their gradients at the end: all of them or, where a vjp raises, none.

    Raises RuntimeError where an earlier walk has freed the graph.
    """
    gradients: dict[Any, Array] = {output: seed}
    for node in _last_made_first(output):
        dy = gradients.pop(node, None)
        if dy is not None:  # None: every vjp said that this node needs no gradient
            for x, dx in _input_gradients(node, dy):
                known = gradients.get(x)
                gradients[x] = dx if known is None else known + dx
        if not retain_graph:
            node.free()
    for leaf, grad in gradients.items():  # every node has been popped
        _add_to_grad(leaf, grad)


def _last_made_first(output: Node | Leaf) -> list[Node]:
    """Every node that `output` was computed from, its own first: the reverse order of making.

    A node is made after all its parents, so the order of making is a topological order. A loop and
    a sort find it at any depth, where recursion would end at Python's limit.
    """
    found: set[Node] = set()
    stack: list[Node | Leaf | None] = [output]
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node not in found:
            if node.vjp is None:
                raise RuntimeError(
                    "backward() through a graph that an earlier backward() freed; "
                    "pass retain_graph=True to the earlier one to go through it again"
                )
            found.add(node)
            stack.extend(node.parents)
    return sorted(found, key=lambda node: node.number, reverse=True)


def _input_gradients(node: Node, dy: Array) -> Iterator[tuple[Node | Leaf, Array]]:
    """What a node's vjp makes of dy: each input that needs a gradient, and that gradient."""
    assert node.vjp is not None
    for position, (x, dx) in enumerate(zip(node.parents, node.vjp(dy), strict=True)):
        if x is None or dx is None:
            continue
        dx = dx() if callable(dx) else dx  # a vjp may leave a gradient to be computed if needed
        dx = _sum_to(dx, x.shape).astype(x.dtype, copy=False)
        check_anomaly(dx, node.name, "'s vjp")
        for observer in observers():
            observer.backward(node, dy, position, dx)
        yield x, dx


def _sum_to(grad: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: the gradient of a repeated entry is the sum over its repetitions."""
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    if extra:
        grad = grad.sum(axis=tuple(range(extra)))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    if stretched:
        grad = grad.sum(axis=stretched, keepdims=True)
    if grad.shape != shape:
        raise ValueError(f"a vjp gave a gradient of shape {grad.shape} for an input of {shape}")
    return grad


def _add_to_grad(leaf: Leaf, grad: Array) -> None:
    """leaf.grad += grad, in a new array: a vjp may give the same array to several inputs."""
    with _adding:
        leaf.grad = np.array(grad if leaf.grad is None else leaf.grad + grad, order="C")


# -- what is in force in this thread ---------------------------------------------------------------


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: as a `with` block, or as a decorator `@no_grad()`."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def is_recording() -> bool:
    """Whether operations are recorded now, that is, no `no_grad()` is in force in this thread."""
    return _recording.get()


@contextlib.contextmanager
def detect_anomaly() -> Iterator[None]:
    """Check the result of every operation, and in `backward` that of every vjp.

    The first that contains NaN or infinity raises FloatingPointError with the operation's name.
    """
    token = _checking.set(True)
    try:
        yield
    finally:
        _checking.reset(token)


def check_anomaly(array: Array, name: str, part: str = "") -> None:
    """Raise FloatingPointError where `detect_anomaly` is in force and the array is not finite."""
    if _checking.get() and not np.isfinite(array).all():
        raise FloatingPointError(f"{name}{part} gave {array[~np.isfinite(array)][0]}")


class Observer(Protocol):
    """Is told what the tape does, in the order in which it does it."""

    def forward(
        self, node: Node, value: Array, rule: Callable[..., Any], arrays: list[Any], settings: Any
    ) -> None:
        """`rule(*arrays, *settings[0], **settings[1])` gave value, and was recorded as node."""

    def backward(self, node: Node, dy: Array, position: int, dx: Array) -> None:
        """From dy, node's vjp made dx, the gradient of the input at that position."""


@contextlib.contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Tell an observer all that this thread does in the block; those told already still are."""
    token = _observers.set((*_observers.get(), observer))
    try:
        yield
    finally:
        _observers.reset(token)


def observers() -> tuple[Observer, ...]:
    """Those that are told now, in this thread."""
    return _observers.get()
