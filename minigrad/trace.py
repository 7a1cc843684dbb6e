"""The tape as data: which operations ran, on what, and how the gradients came back.

    with mg.tracing():
        loss = model.loss(x)
        loss.backward()
    for node in mg.trace(loss).nodes:
        print(node.operation, node.shape, node.kept_bytes, node.caller)

Without `tracing()` a trace has what the tape knows: operations, shapes, and what is kept. With it,
also values, gradients, the lines that called, and the order in which the vjps ran.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from minigrad import ops
from minigrad.tape import Array, Node, observers, observing
from minigrad.tensor import Tensor

_ENGINE = os.path.dirname(__file__)  # pathlib would take 3 ms to import
_scope: ContextVar[tuple[Any, ...]] = ContextVar("scope", default=())


def scope(label: Any) -> contextlib.AbstractContextManager[None]:
    """Label every operation traced in this block with what it is a part of.

    Where the block begins outside of `tracing()` this does nothing, and costs next to nothing.
    """
    return _noted(label) if observers() else contextlib.nullcontext()


@contextlib.contextmanager
def _noted(label: Any) -> Iterator[None]:
    token = _scope.set((*_scope.get(), label))
    try:
        yield
    finally:
        _scope.reset(token)


def tracing() -> contextlib.AbstractContextManager[None]:
    """Record the arrays of all operations and backward passes in this `with` block, for `trace`."""
    return observing(_Tracer())


class Line(NamedTuple):
    """A place in the source."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


class Kept(NamedTuple):
    """An array that a vjp holds for the way back, by the name that it has in the rule.

    start, end: its addresses in memory, which tell whether two arrays share some.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    end: int

    @property
    def bytes(self) -> int:
        """How much memory it holds."""
        return self.end - self.start


class Edge(NamedTuple):
    """`source`'s value is `target`'s input `name`; `grad` is the part that went back along it."""

    source: int
    target: int
    name: str
    grad: Array | None


@dataclasses.dataclass(frozen=True)
class TracedNode:
    """One operation of the graph, or a leaf, whose operation is ''.

    equation, gradients, keeps: the operation's, from its docstring.    kept: for backward.
    rule, vjp: where they are defined.    caller: the line outside of minigrad it was called from.
    scope: the labels in force.    constants: inputs that no gradient flows to, by name.
    value, grad: None where not traced; the gradient is that of what `backward` was called on.
    """

    id: int
    operation: str
    shape: tuple[int, ...]
    dtype: str
    equation: str = ""
    gradients: str = ""
    keeps: str = ""
    kept: tuple[Kept, ...] = ()
    rule: Line | None = None
    vjp: Line | None = None
    caller: Line | None = None
    scope: tuple[Any, ...] = ()
    constants: dict[str, Array] = dataclasses.field(default_factory=dict)
    value: Array | None = None
    grad: Array | None = None
    leaf: Tensor | None = None

    @property
    def kept_bytes(self) -> int:
        """How many bytes it holds for the way back, including those that others hold as well."""
        return memory(self.kept)


@dataclasses.dataclass(frozen=True)
class Trace:
    """A graph: its nodes, each after those it was computed from, and its edges.

    backward_order: the ids of the operations, in the order in which their vjps ran.
    """

    nodes: tuple[TracedNode, ...]
    edges: tuple[Edge, ...]
    backward_order: tuple[int, ...]
    _records: tuple[tuple[_Record | None, tuple[int | None, ...]], ...]

    @property
    def kept_bytes(self) -> int:
        """How many bytes the whole graph holds for the way back, each counted once."""
        return memory([kept for node in self.nodes for kept in node.kept])

    def numeric_gradient(self, node: int, index: tuple[int, ...], eps: float = 1e-5) -> float:
        """The gradient of the last node's sum in one entry of a node, by central differences.

        All that was computed from the entry is computed again, in float64, with the entry a little
        larger and a little smaller. Needs no vjp, and a graph that was traced.

        Raises ValueError where it was not, or an operation on the way draws random numbers.
        """
        node = self.nodes[node].id  # a negative number counts from the end
        x = self._value(node).astype(np.float64)
        h = eps * max(1.0, abs(float(x[index])))
        sums = []
        for step in (h, -h):
            moved = x.copy()
            moved[index] += step
            sums.append(self._sum_with(node, moved))
        return (sums[0] - sums[1]) / (2 * h)

    def to_dot(self) -> str:
        """The graph in the language of Graphviz: boxes for leaves, edges with the inputs' names."""
        lines = ["digraph {", "  node [fontname=monospace fontsize=10]"]
        for node in self.nodes:
            title, style = node.operation or "leaf", "" if node.operation else " shape=box"
            lines.append(f'  {node.id} [label="{title}\\n{node.shape}"{style}]')
        for edge in self.edges:
            lines.append(f'  {edge.source} -> {edge.target} [label="{edge.name}" fontsize=8]')
        return "\n".join([*lines, "}", ""])

    def _value(self, node: int) -> Array:
        value = self.nodes[node].value
        if value is None:
            raise ValueError(_untraced(node))
        return value

    @functools.cached_property
    def _inputs(self) -> list[list[Any]]:
        """The arrays that each operation was given, in float64: converted once for all replays."""
        return [[_in_float64(x) for x in r.arrays] if r else [] for r, _ in self._records]

    def _sum_with(self, start: int, value: Array) -> float:
        """The sum of the last node's value where the node `start` has this one."""
        changed: dict[int | None, Array] = {start: value}
        for i, (record, sources) in enumerate(self._records):
            if not changed.keys().isdisjoint(sources):
                if record is None:
                    raise ValueError(_untraced(i))
                args, settings = record.settings
                if _draws(record):
                    raise ValueError(f"node {i} draws random numbers, and would now draw others")
                arrays = [
                    changed.get(source, array)
                    for source, array in zip(sources, self._inputs[i], strict=True)
                ]
                changed[i] = record.rule(*arrays, *args, **settings)[0]
        return float(np.sum(changed[len(self.nodes) - 1]))


def trace(output: Tensor) -> Trace:
    """The graph that a tensor was computed by.

    Raises RuntimeError where there is none, or where a backward pass freed it and it was recorded
    outside of `tracing()`.
    """
    if output._node is None:
        raise RuntimeError("trace() of a tensor that no recorded operation made")
    found = _nodes_behind(output._node)
    ids: dict[Any, int] = {}
    nodes: list[TracedNode] = []
    edges: list[Edge] = []
    records: list[Any] = []
    for node in found:
        parents = _parents(node)
        for position, parent in enumerate(parents):
            if isinstance(parent, Tensor) and parent not in ids:
                ids[parent] = len(nodes)
                seen = None if node.record is None else node.record.arrays[position]
                nodes.append(_leaf(parent, len(nodes), seen))
                records.append((None, ()))
        ids[node] = len(nodes)
        sources = tuple(None if parent is None else ids[parent] for parent in parents)
        nodes.append(_operation(node, len(nodes), parents))
        records.append((node.record, sources))
        grads = {} if node.record is None else node.record.grads
        names = _names(_rule(node), len(parents))
        for position, source in enumerate(sources):
            if source is not None:
                edges.append(Edge(source, ids[node], names[position], grads.get(position)))
    went_back = [node for node in found if node.record and node.record.turn is not None]
    order = [ids[node] for node in sorted(went_back, key=lambda node: node.record.turn)]
    for edge in edges:  # a leaf's gradient is the sum of what came along its edges
        leaf = nodes[edge.source]
        if not leaf.operation and edge.grad is not None:
            total = edge.grad if leaf.grad is None else leaf.grad + edge.grad
            nodes[edge.source] = dataclasses.replace(leaf, grad=total)
    return Trace(tuple(nodes), tuple(edges), tuple(order), tuple(records))


def formulas(operation: Callable[..., Any]) -> tuple[str, str, str]:
    """Equation with its shapes in lines under it, gradients, and what is kept: from the docstring.

    Its parts are set apart by four spaces or an empty line; what it lacks is ''.
    """
    parts = re.split(r" {4}|\n\n", inspect.getdoc(operation) or "")
    parts = [" ".join(part.split()).removesuffix(".") for part in parts]
    shapes = [part for part in parts[1:] if re.match(r"\w+.*: \(.* -> ", part)]
    gradients = [part for part in parts if re.match(r"d\w+(\[\w\])? = ", part)]
    kept = [part for part in parts if part.startswith("Keeps ")]
    gradient, keeps = (found[0] if len(found) == 1 else "" for found in (gradients, kept))
    return "\n".join([parts[0], *shapes]), gradient, keeps


def memory(kept: Any) -> int:
    """How many bytes some `Kept` hold together, each byte counted once."""
    total, reached = 0, 0
    for start, end in sorted((k.start, k.end) for k in kept):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


# -- what is seen while tracing --------------------------------------------------------------------


@dataclasses.dataclass
class _Record:
    """What the tape itself does not keep of a node."""

    rule: Callable[..., Any]
    arrays: list[Any]
    settings: Any
    value: Array
    parents: tuple[Any, ...]
    kept: tuple[Kept, ...]
    vjp: Line | None
    caller: Line
    scope: tuple[Any, ...]
    grad: Array | None = None
    turn: int | None = None
    grads: dict[int, Array] = dataclasses.field(default_factory=dict)


class _Tracer:
    def __init__(self) -> None:
        self.turns = 0

    def forward(
        self, node: Node, value: Array, rule: Callable[..., Any], arrays: list[Any], settings: Any
    ) -> None:
        node.record = _Record(
            rule, arrays, settings, value, node.parents, _kept(node), _line_of(node.vjp), _caller(),
            _scope.get(),
        )  # fmt: skip

    def backward(self, node: Node, dy: Array, position: int, dx: Array) -> None:
        if node.record is None:
            return
        if node.record.grad is not dy:
            node.record.grad, node.record.turn, node.record.grads = dy, self.turns, {}
            self.turns += 1
        node.record.grads[position] = dx


def _caller() -> Line:
    """The nearest line outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_ENGINE):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno)


def _line_of(function: Any) -> Line | None:
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return Line(code.co_filename, code.co_firstlineno) if code else None


def _kept(node: Node) -> tuple[Kept, ...]:
    found = []
    for name, array in _arrays_in(node.vjp, ""):
        start, end = np.lib.array_utils.byte_bounds(array)
        end = end if array.size else start
        found.append(Kept(name, array.shape, str(array.dtype), start, end))
    return tuple(dict.fromkeys(found))


def _arrays_in(held: Any, name: str) -> Iterator[tuple[str, Array]]:
    """The arrays that a function, or what it holds, has in its closure."""
    if isinstance(held, np.ndarray):
        yield name, held
    elif inspect.isfunction(held):
        for inner, cell in zip(held.__code__.co_freevars, held.__closure__ or (), strict=True):
            yield from _arrays_in(cell.cell_contents, inner)
    elif isinstance(held, tuple | list):
        for i, part in enumerate(held):
            yield from _arrays_in(part, f"{name}[{i}]")


# -- from the tape to data -------------------------------------------------------------------------


def _parents(node: Node) -> tuple[Any, ...]:
    return node.parents if node.record is None else node.record.parents


def _nodes_behind(root: Node) -> list[Node]:
    """First made first."""
    found, stack = {root}, [root]
    while stack:
        node = stack.pop()
        if node.vjp is None and node.record is None:
            raise RuntimeError(
                "trace() of a graph that a backward() freed; trace before it, or record the graph "
                "under minigrad.tracing()"
            )
        for parent in _parents(node):
            if isinstance(parent, Node) and parent not in found:
                found.add(parent)
                stack.append(parent)
    return sorted(found, key=lambda node: node.number)


def _leaf(tensor: Tensor, number: int, seen: Array | None) -> TracedNode:
    """Its value as the operation saw it, which an optimizer may have replaced since."""
    value = tensor.data if seen is None else seen.astype(tensor.dtype, copy=False)
    return TracedNode(number, "", tensor.shape, str(tensor.dtype), value=value, leaf=tensor)


def _operation(node: Node, number: int, parents: tuple[Any, ...]) -> TracedNode:
    rule, record = _rule(node), node.record
    equation, gradients, keeps = formulas(rule) if rule else ("", "", "")
    plain = TracedNode(
        number,
        node.name,
        node.shape,
        str(node.dtype),
        equation,
        gradients,
        keeps,
        _kept(node) if record is None else record.kept,
        _line_of(rule),
        _line_of(node.vjp) if record is None else record.vjp,
    )
    if record is None:
        return plain
    names = _names(rule, len(parents))
    return dataclasses.replace(
        plain,
        caller=record.caller,
        scope=record.scope,
        constants={
            names[i]: record.arrays[i] for i, parent in enumerate(parents) if parent is None
        },
        value=record.value,
        grad=record.grad,
    )


def _rule(node: Node) -> Callable[..., Any] | None:
    """The rule that ran or, for a node that was not traced, the operation of that name."""
    return getattr(ops, node.name, None) if node.record is None else node.record.rule


@functools.cache
def _names(rule: Callable[..., Any] | None, count: int) -> list[str]:
    """What the rule calls its first `count` arrays."""
    parameters = inspect.signature(rule).parameters.values() if rule else ()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    return names if len(names) >= count else [str(i) for i in range(count)]


def _untraced(node: int) -> str:
    return f"node {node} was recorded without minigrad.tracing(): no value"


def _draws(record: _Record) -> bool:
    """Whether the operation drew random numbers. Dropout draws none where it returns its input."""
    args, settings = record.settings
    generators = [x for x in (*args, *settings.values()) if isinstance(x, np.random.Generator)]
    return bool(generators) and record.value is not record.arrays[0]


def _in_float64(array: Any) -> Any:
    is_float = isinstance(array, np.ndarray) and array.dtype.kind == "f"
    return array.astype(np.float64) if is_float else array
