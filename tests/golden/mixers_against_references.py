"""Compare every mixer, the experts and attention with PyTorch; status 1 if one differs.

    python tests/golden/mixers_against_references.py

The same float64 parameters, input and gradient of the output on both sides. README.md beside this
file has the table.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import numpy as np
from peers import of_the_extra_bench, relative_to_largest

import minigrad as mg
from teenygpt_np.model.layers import Experts
from teenygpt_np.model.mixers import MIXERS

with of_the_extra_bench():
    import torch
    import torch_mixers
    import transformers

B, T, D, HEADS, HIDDEN = 3, 37, 24, 4, 40
# Queries and keys of attention: the blocks and the few positions of its kernels, and NumPy's.
SIGHTS = ((T, T), (T, 50), (50, T), (9, 9), (5, T), (T, 5))
BOUND = 1e-12  # of an error relative to the largest entry; rounding makes far less


def main() -> bool:
    torch.set_num_threads(1)
    versions = f"PyTorch {torch.__version__}, transformers {transformers.__version__}"
    print(f"{versions}, NumPy {np.__version__}, backend {mg.get_backend()}\n")
    print("| mixer | reference | value | gradients, worst of |")
    print("|---|---|---|---|")
    rng, broken = np.random.default_rng(0), False
    pairs: dict[str, tuple[Any, Any]] = {
        name: (kind(D, HEADS, rng=rng, dtype=np.float64), torch_mixers.PEERS[name])
        for name, kind in MIXERS.items()
    }
    for active in 1, 2:
        sizes = D, HIDDEN, 4, active
        ours = Experts(*sizes, rng=rng, dtype=np.float64)
        pairs[f"4 experts, {active} active"] = ours, torch_mixers.Experts
    for name, (ours, kind) in pairs.items():
        theirs = kind(D, HEADS) if name in MIXERS else kind(D, HIDDEN, 4, ours.num_active)
        value, gradients = errors(ours, theirs.double(), rng)
        worst = max(gradients, key=gradients.__getitem__)
        print(f"| {name} | {kind.__doc__} | {value:.1e} | {gradients[worst]:.1e}, `{worst}` |")
        broken |= not all(error <= BOUND for error in (value, *gradients.values()))
    for causal in False, True:
        for padded in False, True:
            value, gradients = attention_errors(causal, padded, rng)
            worst = max(gradients, key=gradients.__getitem__)
            name = f"attention{', causal' * causal}{', lengths' * padded}"
            kind = "torch.nn.functional.scaled_dot_product_attention"
            print(f"| {name} | {kind} | {value:.1e} | {gradients[worst]:.1e}, `{worst}` |")
            broken |= not all(error <= BOUND for error in (value, *gradients.values()))
    return broken


def errors(ours: Any, theirs: Any, rng: np.random.Generator) -> tuple[float, dict[str, float]]:
    """Of the value, and of the gradients of x and of every parameter, by name."""
    # Moved a little: parameters that start as 0 would hide what follows them.
    start = {
        name: array + 0.1 * rng.standard_normal(array.shape)
        for name, array in ours.state_dict().items()
    }
    ours.load_state_dict(start)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in start.items()})
    data, dy = rng.standard_normal((2, B, T, D))
    x, torch_x = mg.Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y = ours(x)
    y.backward(dy)
    # transformers rounds some of Mamba's numbers to float32, whatever the dtype; not here.
    with mock.patch.object(torch.Tensor, "float", lambda x: x):
        torch_y = theirs(torch_x)
    torch_y.backward(torch.from_numpy(dy))
    wanted = {"x": torch_x, **dict(theirs.named_parameters())}
    gradients = {
        name: relative_to_largest(tensor.grad, wanted[name].grad.numpy())
        for name, tensor in [("x", x), *ours.named_parameters()]
    }
    return relative_to_largest(y.data, torch_y.detach().numpy()), gradients


def attention_errors(
    causal: bool, padded: bool, rng: np.random.Generator
) -> tuple[float, dict[str, float]]:
    """The worst over SIGHTS, of the value and of the gradients of q, k and v."""
    value, gradients = 0.0, dict.fromkeys("qkv", 0.0)
    for queries, keys in SIGHTS:
        if causal and queries > keys:
            continue
        lengths = rng.integers(1, keys + 1, B) if padded else np.full(B, keys)
        sight = (np.arange(keys) < lengths[:, None])[:, None, None]
        sight = sight & (np.tri(queries, keys, keys - queries, bool) if causal else True)
        shapes = [(B, HEADS, n, D // HEADS) for n in (queries, keys, keys)]
        arrays = dict(zip("qkv", map(rng.standard_normal, shapes), strict=True))
        ours = {name: mg.Tensor(a, requires_grad=True) for name, a in arrays.items()}
        theirs = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
        y = mg.attention(*ours.values(), causal=causal, lengths=lengths if padded else None)
        torch_y = torch.nn.functional.scaled_dot_product_attention(
            *theirs.values(), attn_mask=torch.from_numpy(sight).expand(B, 1, queries, keys)
        )
        dy = rng.standard_normal(y.shape)
        y.backward(dy)
        torch_y.backward(torch.from_numpy(dy))
        value = max(value, relative_to_largest(y.data, torch_y.detach().numpy()))
        for name, tensor in ours.items():
            error = relative_to_largest(tensor.grad, theirs[name].grad.numpy())
            gradients[name] = max(gradients[name], error)
    return value, gradients


if __name__ == "__main__":
    sys.exit(main())
