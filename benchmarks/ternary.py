"""What weights of -1, 0 and 1 cost: nats and memory beside float32, at the same width and at twice.

    python benchmarks/ternary.py --json -- 64 --preset tiny [FLAGS]

Each row is a whole `python -m teenygpt_np.train`, with these flags and that --num-emb or twice as
much; its score is that of the test split. Bytes are of all weights: those of the blocks' matrices
take 4 bytes each or, five in a byte, 1.6 bits, all others 4 bytes. Minutes are those of the
processor.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path

import sides
from quality import text_of

# The flags, and how many times as wide.
KINDS = {
    "float32": ([], 1),
    "ternary": (["--weights=ternary"], 1),
    "ternary, twice as wide": (["--weights=ternary"], 2),
}


def train(flags: list[str]) -> sides.Row:
    """A row.    flags: of the training"""
    from teenygpt_np import train as command
    from teenygpt_np.run_directory import load_run

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        threads = os.environ["OMP_NUM_THREADS"]
        start = time.process_time()
        if command.main([*flags, f"--out={out}", f"--threads={threads}", "--quiet"]):
            raise SystemExit(1)
        minutes = (time.process_time() - start) / 60
        test = json.loads((out / "test.json").read_text("utf-8"))
        model = load_run(out).model
    size = 4 * model.num_parameters()
    if model.ternary:
        for _, parts in model.ternary.matrices():
            for integers, _ in parts:
                size += math.ceil(integers.size / 5) + 4 - 4 * integers.size
    return {
        "parameters": model.num_parameters(),
        "bytes": size,
        "test, nats": test["test_nll_no_pad"],
        "core minutes": minutes,
    }


def main() -> None:
    """Print a table in Markdown, named for the text."""
    args = sides.arguments(__doc__, rounds=1, only=True, others="WIDTH [FLAGS], behind --")
    width, *flags = args.others
    flags += ["--max-steps=1"] if args.short else []
    rows: list[sides.Row] = []
    for name, (own, times) in KINDS.items():
        if args.only in name:
            task = (train, [*own, f"--num-emb={times * int(width)}", *flags])
            found, _ = sides.alternate("ternary", {name: task}, 1)
            rows.append({"weights": name} | found[name][0])
            print(rows[-1], file=sys.stderr, flush=True)  # should a later one fail
    sides.report(args, **{f"ternary_{text_of(flags)}": rows})


if __name__ == "__main__":
    main()
