"""What moves information between tokens: attention weights, states, and what LoRA adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import minigrad as mg
from minigrad import TracedNode
from teenygpt_np.inspector.pack import norm, packed
from teenygpt_np.inspector.tape import Tape
from teenygpt_np.model.lora import LoRA
from teenygpt_np.model.mixers import Mixer
from teenygpt_np.model.mixers.attention import MultiHead
from teenygpt_np.model.module import Module


def attention(tape: Tape) -> list[dict[str, Any]]:
    """Per module: its weights (H, T, S) and their gradients, and what rows and columns are of."""
    found = []
    for name, module, nodes in _with_nodes(tape):
        if not isinstance(module, Mixer | MultiHead):
            continue
        if maps := module.attention_maps(tape.graph, nodes):
            seen = tape.sight.seen(name, module)
            weights, grads = ([packed(head, lower=seen.causal) for head in of] for of in maps)
            parts = {"name": name, "part": module.part, "weights": weights, "grads": grads}
            found.append(parts | asdict(seen))
    return found


def states(tape: Tape) -> list[dict[str, Any]]:
    """Per mixer: its state (D, T), a column per token, and its gradient, if it has one."""
    found = []
    for name, module, nodes in _with_nodes(tape):
        if isinstance(module, Mixer) and (maps := module.state_map(tape.graph, nodes)):
            values, grads = maps
            found.append({"name": name, "values": packed(values.T), "grads": packed(grads.T)})
    return found


def added(model: Module) -> list[dict[str, Any]]:
    """Per weight that LoRA adapts: its norm, that of what is added, and the rank of this."""
    found = []
    with mg.no_grad():
        for _, module in model.named_modules():
            for name, weight, pair in module.parts() if isinstance(module, LoRA) else ():
                row = {"name": name, "weight": norm(weight), "added": norm(pair().data)}
                found.append(row | {"rank": len(pair.lora_A)})
    return found


def _with_nodes(tape: Tape) -> Iterator[tuple[str, Module, list[TracedNode]]]:
    """The modules with their names and the operations that ran in them."""
    for name, module in tape.ran():
        yield name, module, [n for n in tape.graph.nodes if n.operation and module in n.scope]
