"""The tape's nodes and edges for the page: values, gradients, formulas, and what is kept."""

from __future__ import annotations

import inspect
import linecache
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.inspector.pack import norm, number, summary
from teenygpt_np.inspector.tape import Tape

# Multiplications in a forward pass; with fewer, NumPy is faster than compiling kernels for float64.
_MANY = 3e7
_ROOT = Path(__file__).parents[2]


def graph_data(tape: Tape) -> dict[str, Any]:
    """Nodes, edges, modules, sources, and the order of the backward pass."""
    graph = tape.graph
    owners = _owners(tape)
    before = mg.get_backend()
    weights = sum(node.leaf.size for node in graph.nodes if node.leaf is not None)
    if tape.sight.size * weights < _MANY:
        mg.set_backend("numpy")
    try:
        nodes = [_node(tape, node, owners) for node in graph.nodes]
    finally:
        mg.set_backend(before)
    modules = {name: module for path in tape.modules.values() for name, module in path}
    return {
        "nodes": nodes,
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "name": edge.name,
                "norm": None if edge.grad is None else norm(edge.grad),
            }
            for edge in graph.edges
        ],
        "order": graph.backward_order,
        "kept": graph.kept_bytes,
        "modules": {
            name: {"kind": type(module).__name__, "parameters": module.num_parameters()}
            for name, module in modules.items()
        },
        "sources": _sources(graph),
    }


def _node(tape: Tape, node: mg.TracedNode, owners: dict[int, str]) -> dict[str, Any]:
    assert node.value is not None
    return {
        "id": node.id,
        "operation": node.operation,
        "title": tape.title(node),
        "path": [name for name, _ in tape.modules[node.id]],
        "shape": node.shape,
        "dtype": node.dtype,
        "equation": node.equation,
        "gradients": node.gradients,
        "keeps": node.keeps,
        "kept": [
            {
                "name": kept.name,
                "shape": kept.shape,
                "dtype": kept.dtype,
                "bytes": kept.bytes,
                "same": owners.get(kept.start),
            }
            for kept in node.kept
        ],
        "keptBytes": node.kept_bytes,
        "value": summary(node.value),
        "grad": None if node.grad is None else summary(node.grad),
        "checks": [] if node.grad is None else _checks(tape.graph, node, node.grad),
        "caller": _line(node.caller),
        "constants": {name: list(np.shape(x)) for name, x in node.constants.items()},
    }


def _owners(tape: Tape) -> dict[int, str]:
    """By memory address, the name of the first recorded node whose value begins there."""
    found: dict[int, str] = {}
    for node in tape.graph.nodes:
        if node.value is not None:
            start = np.lib.array_utils.byte_bounds(node.value)[0]
            found.setdefault(start, tape.names.get(node.id) or f"{node.operation}, node {node.id}")
    return found


def _checks(graph: mg.Trace, node: mg.TracedNode, grad: Array) -> list[dict[str, Any]]:
    """The gradient beside differences, at its largest entry and at the median of those not 0."""
    order = np.argsort(np.abs(grad), axis=None)
    rows = []
    for place in dict.fromkeys([order[-1], order[-1 - np.count_nonzero(grad) // 2]]):
        index = tuple(int(i) for i in np.unravel_index(place, grad.shape))
        numeric = graph.numeric_gradient(node.id, index)
        analytic = float(grad[index])
        row = {"analytic": analytic, "numeric": numeric, "difference": analytic - numeric}
        rows.append({"index": list(index)} | {name: number(x) for name, x in row.items()})
    return rows


def _sources(graph: mg.Trace) -> dict[str, dict[str, Any]]:
    """By operation: the lines of its rule, and the number of the line where its vjp begins."""
    found: dict[str, dict[str, Any]] = {}
    for node in graph.nodes:
        if node.rule and node.operation not in found:
            lines = linecache.getlines(node.rule.file)[node.rule.number - 1 :]
            found[node.operation] = {
                "file": _shown(node.rule.file),
                "line": node.rule.number,
                "vjp": node.vjp.number if node.vjp else None,
                "text": "".join(inspect.getblock(lines)),
            }
    return found


def _line(line: Any) -> dict[str, Any] | None:
    if line is None:
        return None
    text = linecache.getline(line.file, line.number).strip()
    return {"file": _shown(line.file), "line": line.number, "text": text}


def _shown(file: str) -> str:
    """A file's path in the project; for files elsewhere only the name."""
    path = Path(file)
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
