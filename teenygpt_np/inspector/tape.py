"""The tape of one text: a forward and a backward pass through a trained model, recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import minigrad as mg
from minigrad import Array
from teenygpt_np import run_directory
from teenygpt_np.errors import InputError
from teenygpt_np.model.mixers import Mixer
from teenygpt_np.model.module import Module
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Tape:
    """The loss of one row, in nats, with its graph.

    ids: (1, t), the text with the tokens that begin and end it.    modules: by node id, the modules
    that it ran in, outermost first, as (name, Module); a leaf is in those that use it.    names: of
    the parameters, by node id.
    """

    text: str
    ids: Array
    loss: float
    graph: mg.Trace
    modules: dict[int, list[tuple[str, Module]]]
    names: dict[int, str]

    def mixers(self) -> list[tuple[str, Mixer]]:
        """The mixers that ran, with their names, in the order in which they ran."""
        found = {name: module for path in self.modules.values() for name, module in path}
        return [(name, module) for name, module in found.items() if isinstance(module, Mixer)]

    def title(self, node: mg.TracedNode) -> str:
        """The operation's name, or the parameter's name in its module."""
        name = self.names.get(node.id, "")
        return node.operation or name.rpartition(".")[2]


def trace_text(model: TeenyGPT, tokenizer: Tokenizer, text: str) -> Tape:
    """Trace the loss of a text as `evaluate` counts it: up to its end, without dropout.

    The gradients stay in the model's parameters. Raises InputError if folding leaves no text.
    """
    folded = tokenizer.fold(text).text
    ids = tokenizer.row(folded)[None, : model.num_tokens]
    if not folded or ids.shape[1] < 2:
        least = "two tokens" if tokenizer.running else "one character of the model's alphabet"
        raise InputError(f"--text is {text!r}, wanted at least {least}")
    model.eval().zero_grad()
    for parameter in model.parameters():
        parameter.requires_grad = True  # what is frozen in training is shown, too
    with mg.tracing():
        loss = model.loss(ids, reduction="sum")
        loss.backward()
    graph = mg.trace(loss)
    known = {id(module): name for name, module in model.named_modules()}
    modules = {n.id: [(known[id(m)], m) for m in n.scope if id(m) in known] for n in graph.nodes}
    for edge in graph.edges:
        if not graph.nodes[edge.source].operation:
            modules[edge.source] = modules[edge.target]
    parameters = {id(p): name for name, p in model.named_parameters()}
    names = {n.id: parameters[id(n.leaf)] for n in graph.nodes if n.leaf is not None}
    return Tape(tokenizer.decode(ids[0]), ids, loss.item(), graph, modules, names)


def first_sample(directory: Path) -> str:
    """The first text that the model wrote after the last epoch with samples."""
    for path in sorted((directory / run_directory.SAMPLES).glob("epoch_*.txt"), reverse=True):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.strip():
                return line
    raise InputError(f"{directory} has no samples; wanted --text with a text to inspect")
