"""A training step of all weights and one of LoRA's alone, ours beside PyTorch's with peft.

    python benchmarks/lora_step.py --rounds 3 --json

Steps as in train_step.py. Ours adds to q and v; peft to attention's W_in as a whole and to W_out,
since it does not divide W_in. Both add the products to the weights first, once for a pass.
"""

from __future__ import annotations

import importlib.util

import sides
from train_step import Sizes, milliseconds, our_step, pytorch_step

CONFIGURATIONS: dict[str, Sizes] = {
    "small": (32, 64, 96, 8, 4, 4),
    "medium": (32, 64, 128, 8, 4, 4),
}
SHORT: dict[str, Sizes] = {"tiny": (2, 8, 8, 2, 2, 1)}
RANK = 2


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, only=True)
    has_peft = sides.HAS_PYTORCH and importlib.util.find_spec("peft") is not None
    rows = []
    for name, sizes in (SHORT if args.short else CONFIGURATIONS).items():
        if args.only not in name:
            continue
        budget = 0 if args.short else 2
        tasks: dict[str, sides.Task] = {}
        for what, rank in (("all", 0), ("LoRA", RANK)):
            tasks[f"ours, {what}"] = (milliseconds, our_step, budget, sizes, rank)
            if has_peft:
                tasks[f"PyTorch, {what}"] = (milliseconds, pytorch_step, budget, sizes, False, rank)
        ms, memory = sides.alternate(name, tasks, args.rounds)
        row: sides.Row = {"configuration": name}
        for side in ("ours", "PyTorch") if has_peft else ("ours",):
            full, lora = f"{side}, all", f"{side}, LoRA"
            row |= {f"{what}, ms": sides.median(ms[what]) for what in (full, lora)}
            row[f"{side}, LoRA / all"] = sides.median_ratio(ms[lora], ms[full])
            row |= {f"{what}, MB": memory[what] for what in (full, lora)}
        rows.append(row)
    sides.report(args, lora_step=rows)


if __name__ == "__main__":
    main()
