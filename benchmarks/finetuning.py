"""What tuning few weights reaches beside tuning all of them: nats, minutes of a core, memory.

    python benchmarks/finetuning.py --json FILE -- RUN DIR [FLAGS]

RUN is a finished run, DIR another text, with train.txt, val.txt and test.txt. The first row is RUN
as it was; each other one is a whole `python -m teenygpt_np.finetune RUN --data DIR FLAGS`, and its
score is of DIR's test split. Minutes are those of the processor, so that other programs on the
machine count little; reading, validations and samples are in them. Memory is the peak of the whole
process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import sides

RANKS = (1, 2, 4, 8)
TUNED: dict[str, list[str]] = {"nothing": [], "all weights": []}
TUNED |= {f"LoRA, r = {rank}": ["--lora-rank", str(rank)] for rank in RANKS}
TUNED["the head"] = ["--train-only", "head"]
SHORT = ("nothing", "all weights", "LoRA, r = 1")


def score(run: str, data: str) -> sides.Row:
    """Of a run as it is, on the test split of a text."""
    from teenygpt_np import evaluate

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if evaluate.main([run, "--data", data, "--split", "test", "--eval-tokens", "0", "--json"]):
            raise SystemExit(1)
    found = json.loads(printed.getvalue())["model"]["nll_no_pad"]
    return {"weights": None, "share": None, "test, nats": found, "core minutes": None}


def tune(run: str, data: str, flags: list[str]) -> sides.Row:
    """Tune a run on a text and score it.    flags: those of the command"""
    from teenygpt_np import finetune
    from teenygpt_np.run_directory import load_run

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        files = [run, "--data", data, "--out", str(out), "--eval-tokens", "0"]
        start = time.process_time()
        if finetune.main([*files, "--quiet", "--threads", os.environ["OMP_NUM_THREADS"], *flags]):
            raise SystemExit(1)
        seconds = time.process_time() - start
        test = json.loads((out / "test.json").read_text("utf-8"))
        sizes = [(p.size, p.requires_grad) for p in load_run(out).model.parameters()]
    learned = sum(size for size, learns in sizes if learns)
    return {
        "weights": learned,
        "share": f"{learned / sum(size for size, _ in sizes):.2%}",
        "test, nats": test["test_nll_no_pad"],
        "core minutes": seconds / 60,
    }


def main() -> None:
    """Print a table in Markdown, named for both texts."""
    args = sides.arguments(__doc__, rounds=1, only=True, others="RUN DIR [FLAGS], behind --")
    run, data, *flags = args.others
    flags += ["--max-steps", "1"] if args.short else []
    rows: list[sides.Row] = []
    for name, own in TUNED.items():
        if args.only in name and (not args.short or name in SHORT):
            tuning = (tune, run, data, [*own, *flags])
            task: sides.Task = (score, run, data) if name == "nothing" else tuning
            found, memory = sides.alternate(Path(data).name, {name: task}, args.rounds)
            rows.append({"tuned": name} | found[name][0] | {"MB": memory[name]})
            print(rows[-1], file=sys.stderr, flush=True)  # should a later one fail
    sides.report(args, **{f"finetuning_{Path(data).name}": rows})


if __name__ == "__main__":
    main()
