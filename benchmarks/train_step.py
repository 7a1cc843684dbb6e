"""One training step, ours beside PyTorch's: forward, loss, backward, AdamW; float32.

    python benchmarks/train_step.py [--compile] [--only article]

Both sides see the same random tokens, drop 0.1 of the embedding as the article does, and count
every token in the loss, pads or not. The C library keeps freed memory on both sides, as
teenygpt_np.train has it do.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from typing import Any

import sides

# B headlines of T tokens; D wide; the MLP num_neurons times as wide.
SIZES = ("B", "T", "D", "heads", "num_neurons", "blocks")
CONFIGURATIONS = {
    "article": (32, 150, 32, 8, 512, 4),
    "wide": (32, 150, 128, 4, 4, 4),
    "narrow": (32, 64, 64, 4, 4, 4),
    "mid": (8, 256, 384, 6, 4, 6),
}
SHORT = {"tiny": (2, 8, 8, 2, 2, 1)}
TOKEN_VALUES, DROPOUT, LR = 29, 0.1, 1e-3

Sizes = tuple[int, ...]
Step = Callable[[], Any]


def our_step(sizes: Sizes, rank: int = 0) -> Step:
    """A function that does one step of ours.    rank: of LoRA on q and v, which learns alone"""
    import numpy as np

    from minigrad.optim import AdamW
    from teenygpt_np import TeenyGPT
    from teenygpt_np.model.lora import LoRA

    sides.use_threads()
    B, T, D, heads, num_neurons, blocks = sizes
    x = np.random.default_rng(0).integers(0, TOKEN_VALUES, (B, T))
    model = TeenyGPT(T, TOKEN_VALUES, D, num_neurons, heads, DROPOUT, blocks, positions="learned")
    if rank:
        model.lora = LoRA(model, rank, 8.0, ["q", "v"], rng=np.random.default_rng(0))
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=LR)

    def step() -> None:
        model.zero_grad()
        model.loss(x).backward()
        optimizer.step()

    return step


def pytorch_step(sizes: Sizes, compiled: bool = False, rank: int = 0) -> Step:
    """A function that does one step of PyTorch's.    rank: of peft's LoRA on attention"""
    import numpy as np
    import torch

    sys.path.insert(0, str(sides.PEER))
    from torch_teenygpt import TeenyGPT

    torch.manual_seed(0)
    B, T, D, heads, num_neurons, blocks = sizes
    x = torch.from_numpy(np.random.default_rng(0).integers(0, TOKEN_VALUES, (B, T)))
    model = TeenyGPT(T, TOKEN_VALUES, D, num_neurons, heads, DROPOUT, blocks)
    if rank:
        from peft import LoraConfig, get_peft_model

        # The model's own classes stay: get_peft_model changes the modules in place.
        get_peft_model(model, LoraConfig(r=rank, lora_alpha=8, target_modules=["msha"]))
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=LR, fused=True
    )
    loss = torch.compile(model.loss) if compiled else model.loss

    def step() -> None:
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()

    return step


def milliseconds(make: Callable[..., Step], budget: float, *args: Any) -> float:
    """The median time of a step, in ms."""
    from teenygpt_np.cli import keep_freed_memory

    keep_freed_memory()
    return 1e3 * sides.seconds(make(*args), budget)


def gigaflops(sizes: Sizes) -> float:
    """The arithmetic of one step in GFLOP: the products, forward once and backward twice.

    Of attention's T x T products half counts, as a token sees none that comes after it. The last
    token predicts nothing.
    """
    B, T, D, _, num_neurons, blocks = sizes
    T -= 1
    projections, mlp, attention = 4 * D * D, 2 * num_neurons * D * D, T * D
    return 6e-9 * B * T * (blocks * (projections + mlp + attention) + D * TOKEN_VALUES)


def tasks(sizes: Sizes, budget: float, compiled: bool = False) -> dict[str, sides.Task]:
    """What there is to measure: ours, and PyTorch's where it is installed."""
    found: dict[str, sides.Task] = {"ours": (milliseconds, our_step, budget, sizes)}
    if sides.HAS_PYTORCH:
        found["eager"] = (milliseconds, pytorch_step, budget, sizes)
        if compiled:
            found["compiled"] = (milliseconds, pytorch_step, budget, sizes, True)
    return found


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, only=True, compile=True)
    rows = []
    for name, sizes in (SHORT if args.short else CONFIGURATIONS).items():
        if args.only not in name:
            continue
        work = tasks(sizes, 0 if args.short else 2, args.compile)
        work["limits"] = (sides.limits, args.short)
        ms, memory = sides.alternate(name, work, args.rounds)
        rates = [rate for rate, _ in ms.pop("limits")]
        theirs = [times for side, times in ms.items() if side != "ours"]
        pytorch = min(theirs, key=statistics.median, default=None)  # the better of the two
        at_full_rate = [1e3 * gigaflops(sizes) / rate for rate in rates]
        row: sides.Row = {"configuration": name, **dict(zip(SIZES, sizes, strict=True))}
        row |= {f"{side}, ms": sides.median(times) for side, times in ms.items()}
        row["ours / PyTorch"] = sides.median_ratio(ms["ours"], pytorch)
        row |= {f"{side}, MB": memory[side] for side in ms}
        row["ours, of sgemm's rate"] = sides.median_ratio(at_full_rate, ms["ours"])
        row["PyTorch, of it"] = sides.median_ratio(at_full_rate, pytorch)
        rows.append(row | {"sgemm, GFLOP/s": sides.median(rates)})
    sides.report(args, train_step=rows)


if __name__ == "__main__":
    main()
