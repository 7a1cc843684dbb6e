"""The tape as lines of text: forward in the order of recording, then backward as it ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.inspector.tape import Tape
from teenygpt_np.model.module import Module


def listing(tape: Tape) -> Iterator[str]:
    """Operations under their modules, with shapes, norms, and bytes kept for backward."""
    graph = tape.graph
    yield f"{tape.sight.text!r}: a loss of {tape.loss:.4f} nats, {len(graph.nodes)} nodes"
    yield ""
    yield f"forward: value, its norm, kept for backward ({size(graph.kept_bytes)} in all)"
    operations = [node for node in graph.nodes if node.operation]
    for node, indent, headers in _under_modules(tape, operations):
        yield from headers
        figures = f"{norm(node.value):>10}  {size(node.kept_bytes) if node.kept else '-':>8}"
        yield f"{indent + node.operation:34}{shape(node):>18}{figures}"
    yield ""
    yield "backward: the output's gradient, its norm, and the norms of the inputs' gradients"
    inputs = defaultdict(list)
    for edge in graph.edges:
        inputs[edge.target].append(edge)
    for node, indent, headers in _under_modules(
        tape, [graph.nodes[i] for i in graph.backward_order]
    ):
        yield from headers
        gone = ", ".join(f"d{e.name} {norm(e.grad)}" for e in inputs[node.id])
        yield f"{indent + node.operation:34}{shape(node):>18}{norm(node.grad):>10}  {gone}"


def _under_modules(
    tape: Tape, nodes: Iterable[mg.TracedNode]
) -> Iterator[tuple[mg.TracedNode, str, list[str]]]:
    """Each node, its indentation, and a line for each module that begins before it."""
    inside: list[tuple[str, Module]] = []
    for node in nodes:
        path = tape.modules[node.id]
        depth = 0
        while depth < min(len(path), len(inside)) and path[depth] == inside[depth]:
            depth += 1
        headers = [
            f"{'  ' * (i + 1)}{path[i][0]}  ({type(path[i][1]).__name__})"
            for i in range(depth, len(path))
        ]
        inside = path
        yield node, "  " * (len(path) + 1), headers


def shape(node: mg.TracedNode) -> str:
    """The shape as text: `1x28x96`, or `scalar`."""
    return "x".join(map(str, node.shape)) or "scalar"


def norm(array: Array | None) -> str:
    """The Euclidean norm as text, to four digits."""
    return "-" if array is None else f"{np.linalg.norm(np.asarray(array, np.float64)):.4g}"


def size(count: float) -> str:
    """A number of bytes as text: `12.3 MB`."""
    for unit in ("B", "kB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} MB"
