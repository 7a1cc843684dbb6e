"""Compare encoder and decoder with torch.nn's layers in float64; status 1 if they differ.

    python tests/golden/encoder_decoder_against_torch.py

The same parameters, inputs, masks and gradient of the output on both sides. README.md beside this
file has the table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from peers import Array, of_the_extra_bench, relative_to_largest

import minigrad as mg
from teenygpt_np.model.block import Block
from teenygpt_np.model.encoder_decoder import DecoderBlock, EncoderDecoder
from teenygpt_np.model.layers import MLP
from teenygpt_np.model.mixers.attention import CausalSelfAttention

with of_the_extra_bench():
    import torch
    import torch_encoder_decoder as peers
    from torch import nn

B, S, T, D, HEADS, HIDDEN, V = 5, 23, 17, 24, 4, 40, 29
BOUND = 1e-12  # of an error relative to the largest entry; rounding makes far less
LENGTHS = {
    "all": [S] * B,
    "some": [S, 1, 7, 22, 12],
    "one token each": [1] * B,
    "all alike": [9] * B,
}


def main() -> bool:
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, NumPy {np.__version__}, backend {mg.get_backend()}\n")
    print("| what | lengths | value | gradients, worst of |")
    print("|---|---|---|---|")
    rng, broken = np.random.default_rng(0), False
    made = [("encoder layer, causal", "all", *causal(rng))]
    for kind, compared in (
        ("encoder layer", encoder),
        ("decoder layer", decoder),
        ("2 + 2 layers, embeddings, loss", whole),
    ):
        made += [(kind, name, *compared(rng, np.array(n))) for name, n in LENGTHS.items()]
    for kind, name, value, gradients in made:
        worst = max(gradients, key=gradients.__getitem__)
        print(f"| {kind} | {name} | {value:.1e} | {gradients[worst]:.1e}, `{worst}` |")
        broken |= not all(error <= BOUND for error in (value, *gradients.values()))
    return broken


Errors = tuple[float, dict[str, float]]


def block(rng: np.random.Generator) -> Block:
    made = CausalSelfAttention(D, HEADS, rng=rng, dtype=np.float64)
    return Block(made, MLP(D, HIDDEN, rng=rng, dtype=np.float64), D, dtype=np.float64)


def causal(rng: np.random.Generator) -> Errors:
    theirs = peers.Layer(nn.TransformerEncoderLayer, D, HEADS, HIDDEN).double()
    x = rng.standard_normal((B, S, D))
    return errors(block(rng), theirs, [x], {}, {"src_mask": peers.future(S)}, rng)


def encoder(rng: np.random.Generator, lengths: Array) -> Errors:
    theirs = peers.Layer(nn.TransformerEncoderLayer, D, HEADS, HIDDEN).double()
    x = rng.standard_normal((B, S, D))
    masks = {"src_key_padding_mask": peers.padding(torch.from_numpy(lengths), S)}
    shown = np.arange(S) < lengths[:, None]
    return errors(block(rng), theirs, [x], {"lengths": lengths}, masks, rng, shown)


def decoder(rng: np.random.Generator, lengths: Array) -> Errors:
    """The target is padded as well: what its padding gives is not looked at."""
    theirs = peers.Layer(nn.TransformerDecoderLayer, D, HEADS, HIDDEN).double()
    ours = DecoderBlock(D, HEADS, HIDDEN, rng=rng, dtype=np.float64)
    ends = rng.integers(1, T + 1, B)
    masks = {
        "tgt_mask": peers.future(T),
        "tgt_key_padding_mask": peers.padding(torch.from_numpy(ends), T),
        "memory_key_padding_mask": peers.padding(torch.from_numpy(lengths), S),
    }
    x, memory = rng.standard_normal((B, T, D)), rng.standard_normal((B, S, D))

    def forward(x: Any, memory: Any) -> Any:
        return ours(x, *ours.multihead_attn.keys_and_values(memory), lengths)

    shown = np.arange(T) < ends[:, None]
    return errors(ours, theirs, [x, memory], {}, masks, rng, shown, forward)


def whole(rng: np.random.Generator, lengths: Array) -> Errors:
    sizes = max(S, T), V, D, 2, HEADS
    theirs = peers.EncoderDecoder(*sizes, 2).double()
    ours = EncoderDecoder(*sizes, 0.0, 2, rng=rng, dtype=np.float64)
    share(ours, theirs, rng)
    source, target = rng.integers(0, V, (B, S)), rng.integers(0, V, (B, T + 1))
    counted = np.arange(T + 1) < rng.integers(2, T + 2, (B, 1))
    inputs = source, lengths, target, counted
    loss, wanted = ours.loss(*inputs), theirs.loss(*map(torch.from_numpy, inputs))
    loss.backward()
    wanted.backward()
    return relative_to_largest(loss.data, wanted.detach().numpy()), compared(ours, theirs)


def share(ours: Any, theirs: Any, rng: np.random.Generator) -> None:
    """Give both the same parameters, all of them at random, norms and biases too."""
    named = theirs.ours()
    assert named.keys() == ours.state_dict().keys()
    moved = {n: a + 0.1 * rng.standard_normal(a.shape) for n, a in ours.state_dict().items()}
    ours.load_state_dict(moved)
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(moved[name]))


def compared(ours: Any, theirs: Any) -> dict[str, float]:
    """The error of each parameter's gradient."""
    wanted = theirs.ours()
    return {
        name: relative_to_largest(parameter.grad, wanted[name].grad.numpy())
        for name, parameter in ours.named_parameters()
    }


def errors(
    ours: Any,
    theirs: Any,
    inputs: list[Array],
    settings: Mapping[str, Any],
    masks: Mapping[str, Any],
    rng: np.random.Generator,
    shown: Array | None = None,
    forward: Any = None,
) -> Errors:
    """Of the value where it is shown, and of the gradients of inputs and parameters, by name."""
    share(ours, theirs, rng)
    mine = [mg.Tensor(array, requires_grad=True) for array in inputs]
    other = [torch.tensor(array, requires_grad=True) for array in inputs]
    y, torch_y = (forward or ours)(*mine, **settings), theirs(*other, **masks)
    dy = rng.standard_normal(y.shape)
    shown = np.ones(y.shape[:2], bool) if shown is None else shown
    dy[~shown] = 0
    y.backward(dy)
    torch_y.backward(torch.from_numpy(dy))
    gradients = compared(ours, theirs)
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        gradients[f"input {i}"] = relative_to_largest(a.grad, b.grad.numpy())
    return relative_to_largest(y.data[shown], torch_y.detach().numpy()[shown]), gradients


if __name__ == "__main__":
    sys.exit(main())
