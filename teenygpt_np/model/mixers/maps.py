"""What mixers share for the inspector: the arrays of an operation, and weights that decay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad import Array, Trace, TracedNode


def traced(
    trace: Trace, nodes: Sequence[TracedNode], operation: str
) -> tuple[dict[str, Array], Array]:
    """The inputs, by name, of the one node with this operation, and the gradient of its result."""
    [node] = [node for node in nodes if node.operation == operation]
    edges = [edge for edge in trace.edges if edge.target == node.id]
    inputs = {edge.name: np.asarray(trace.nodes[edge.source].value) for edge in edges}
    assert node.grad is not None
    return inputs | node.constants, node.grad


def decayed_weights(q: Array, k: Array, g: Array, u: Array | None = None) -> Array:
    """The weight of v_s in out_t of `mg.decayed_attention`.    -> (B, H, T, T), 0 where s > t"""
    w = np.broadcast_to(np.exp(g), q.shape)
    weights = np.zeros((*q.shape[:3], q.shape[2]), q.dtype)
    left = np.zeros_like(k)  # of each key, at position t
    for t in range(q.shape[2]):
        if u is not None:
            left[:, :, t] = u * k[:, :, t]
            weights[:, :, t] = (left @ q[:, :, t, :, None])[..., 0]
        left *= w[:, :, t : t + 1]
        left[:, :, t] = k[:, :, t]
        if u is None:
            weights[:, :, t] = (left @ q[:, :, t, :, None])[..., 0]
    return weights
