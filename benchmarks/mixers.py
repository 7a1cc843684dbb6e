"""Every mixer in a block, beside attention's; and alone, beside PyTorch's: forward and backward.

    python benchmarks/mixers.py --compile --rounds 3 --json

A block is the mixer, an MLP four times as wide, and two norms. D = 96, 8 heads, 32 sequences of
128 tokens, float32. PyTorch's mixers are those of tests/golden/torch_mixers.py.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
from typing import Any

import sides

SIZES = (32, 128, 96, 8)  # B, T, D, H
SHORT, SHORT_MIXERS = (2, 8, 8, 2), ("attention", "gru")
# These two are written in PyTorch for the values alone, in a slow form. Mamba is transformers'.
WITHOUT_PEER = ["rwkv", "s4"] + ["mamba"] * (importlib.util.find_spec("transformers") is None)

Sizes = tuple[int, int, int, int]


def mixer_and_input(name: str, sizes: Sizes) -> tuple[Any, Any]:
    """A mixer, and an array as its input."""
    import numpy as np

    from teenygpt_np.cli import keep_freed_memory
    from teenygpt_np.model.mixers import MIXERS

    keep_freed_memory()
    sides.use_threads()
    B, T, D, heads = sizes
    rng = np.random.default_rng(0)
    mixer = MIXERS[name](D, heads, rng=rng)
    return mixer, rng.standard_normal((B, T, D)).astype(np.float32)


def ours(name: str, sizes: Sizes, budget: float, in_block: bool = False) -> float:
    """The median time of a mixer or of its block, in ms."""
    import numpy as np

    import minigrad as mg
    from teenygpt_np.model.block import Block
    from teenygpt_np.model.layers import MLP

    module, data = mixer_and_input(name, sizes)
    if in_block:
        D = sizes[2]
        module = Block(module, MLP(D, 4 * D, rng=np.random.default_rng(0)), D)
    x = mg.Tensor(data, requires_grad=True)

    def step() -> None:
        module.zero_grad()
        x.zero_grad()
        y = module(x)
        y.backward(y.data)

    return 1e3 * sides.seconds(step, budget)


def pytorch(name: str, sizes: Sizes, budget: float, compiled: bool = False) -> float:
    """The median time of PyTorch's mixer with the same parameters, in ms."""
    import torch

    sys.path.insert(0, str(sides.PEER))
    from torch_mixers import PEERS

    mixer, data = mixer_and_input(name, sizes)
    peer = PEERS[name](*sizes[2:])
    peer.load_state_dict({key: torch.from_numpy(a) for key, a in mixer.state_dict().items()})
    run = torch.compile(peer) if compiled else peer
    x = torch.from_numpy(data).requires_grad_()

    def step() -> None:
        peer.zero_grad()
        x.grad = None
        y = run(x)
        y.backward(y.detach())

    return 1e3 * sides.seconds(step, budget)


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, only=True, compile=True)
    from teenygpt_np.model.mixers import MIXERS

    measure = (SHORT, 0.0) if args.short else (SIZES, 1.0)
    names = [n for n in (SHORT_MIXERS if args.short else MIXERS) if args.only in n]
    in_blocks: dict[str, sides.Task] = {name: (ours, name, *measure, True) for name in names}
    blocks, _ = sides.alternate("in a block", in_blocks, args.rounds)
    rows = []
    for name in names:
        work: dict[str, sides.Task] = {"ours": (ours, name, *measure)}
        if sides.HAS_PYTORCH and name not in WITHOUT_PEER:
            work["eager"] = (pytorch, name, *measure)
            if args.compile:
                work["compiled"] = (pytorch, name, *measure, True)
        ms, _ = sides.alternate(name, work, args.rounds)
        theirs = [times for side, times in ms.items() if side != "ours"]
        row: sides.Row = {"mixer": name, "block, ms": sides.median(blocks[name])}
        row["of attention's"] = sides.median_ratio(blocks[name], blocks.get("attention"))
        row |= {f"{s}, ms": sides.median(ms.get(s)) for s in ("ours", "eager", "compiled")}
        best = min(theirs, key=statistics.median, default=None)  # the better of the two
        rows.append(row | {"ours / PyTorch": sides.median_ratio(ms["ours"], best)})
    sides.report(args, mixers=rows)


if __name__ == "__main__":
    main()
