"""The tape of one text: a forward and a backward pass through a trained model, recorded."""

from __future__ import annotations

from dataclasses import dataclass

import minigrad as mg
from teenygpt_np.inspector.sights import Sight
from teenygpt_np.model.module import Module


@dataclass(frozen=True)
class Tape:
    """The loss of a text, in nats, with its graph.

    sight: the text as the model reads it.    modules: by node id, the modules that it ran in,
    outermost first, as (name, Module); a leaf is in those that use it.    names: of the parameters,
    by node id.
    """

    sight: Sight
    loss: float
    graph: mg.Trace
    modules: dict[int, list[tuple[str, Module]]]
    names: dict[int, str]

    def ran(self) -> list[tuple[str, Module]]:
        """The modules that ran, with their names, in the order in which they ended."""
        found: dict[str, Module] = {}
        for node in self.graph.nodes:
            for name, module in reversed(self.modules[node.id]):
                found.pop(name, None)
                found[name] = module
        return list(found.items())

    def title(self, node: mg.TracedNode) -> str:
        """The operation's name, or the parameter's name in its module."""
        name = self.names.get(node.id, "")
        return node.operation or name.rpartition(".")[2]


def trace(sight: Sight) -> Tape:
    """Trace the loss of a text, without dropout. The gradients stay in the model's parameters."""
    model = sight.model
    model.eval().zero_grad()
    with mg.tracing():
        loss = sight.loss()
        loss.backward()
    graph = mg.trace(loss)
    known = {id(module): name for name, module in model.named_modules()}
    modules = {n.id: [(known[id(m)], m) for m in n.scope if id(m) in known] for n in graph.nodes}
    for edge in graph.edges:
        if not graph.nodes[edge.source].operation:
            modules[edge.source] = modules[edge.target]
    parameters = {id(p): name for name, p in model.named_parameters()}
    names = {n.id: parameters[id(n.leaf)] for n in graph.nodes if n.leaf is not None}
    return Tape(sight, loss.item(), graph, modules, names)
