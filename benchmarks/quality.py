"""What every mixer learns in a whole training: nats, minutes of a core, tokens/s.

    python benchmarks/quality.py --json
    python benchmarks/quality.py --json -- --data names.txt --epochs 3

What stands behind -- goes to the trainings. Each is one whole `python -m teenygpt_np.train`. Its
time is that of the processor, so that other programs on the machine count little; it has the
validations and samples in it, and what is compiled if that is not in Numba's cache. With fewer
threads than cores several are trained at a time.
Writing is 64 headlines at once by the best model, which is scored on the test split. Every round
has the same seed, so only times and rates differ: the table has their medians.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sides
from table1 import ARTICLE

HYBRIDS = ("mamba,attention", "convolution,attention")  # as few blocks as tiny has
MODELS = {name: ["--mixer", name] for name in (*ARTICLE, *HYBRIDS)}
MODELS["8 experts, 2 active"] = ["--experts", "8", "--active-experts", "2"]
SHORT_MODELS = ("attention", "rnn")
SHORT = ["--preset", "tiny", "--max-steps", "1"]
WRITTEN = 64
TIMED = ("core minutes", "tokens per core second", "written, tokens/s")


def train(flags: list[str]) -> sides.Row:
    """Train and score a model, and write with it.    flags: those of the command"""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        start = time.process_time()
        epochs = epochs_of(flags, out)
        seconds = time.process_time() - start
        test, description = (
            json.loads((out / f"{name}.json").read_text("utf-8")) for name in ("test", "config")
        )
        tokens = sum(epoch["tokens_per_s"] * epoch["seconds"] for epoch in epochs)
        row = {
            "parameters": description["parameters"],
            "test, nats": test["test_nll_no_pad"],
            "above the grammar": None,
            "core minutes": seconds / 60,
            "tokens per core second": tokens / seconds,
            "written, tokens/s": written_per_s(out),
        }
    if "truth_nll" in test:
        row["above the grammar"] = f"{row['test, nats'] / test['truth_nll'] - 1:.1%}"
    return row


def epochs_of(flags: list[str], out: Path) -> list[dict[str, Any]]:
    """Train into a new run directory, and return what it has of each epoch."""
    from teenygpt_np import train as command

    threads = os.environ["OMP_NUM_THREADS"]
    if status := command.main([*flags, "--quiet", "--threads", threads, "--out", str(out)]):
        raise SystemExit(status)
    return [json.loads(line) for line in (out / "metrics.jsonl").open(encoding="utf-8")]


def text_of(flags: list[str]) -> str:
    """The name of the text that these flags of a training choose."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data", type=Path, default=Path("bundled"))
    return parser.parse_known_args(flags)[0].data.name.split(".")[0]


def written_per_s(out: Path) -> float:
    """Tokens/s that a run's model writes the second time; the first loads its kernels."""
    import numpy as np

    from teenygpt_np.run_directory import load_run

    run = load_run(out)
    prompt, end = run.tokenizer.encode_prompt("").tolist(), run.tokenizer.end
    for _ in range(2):
        start = time.process_time()
        rng = np.random.default_rng(0)
        ids = run.model.sample(WRITTEN, prompt=prompt, end=end, rng=rng)
        seconds = time.process_time() - start
    return float(np.sum(ids != end)) / seconds  # as many begin a headline as end one


def main() -> None:
    """Print a table in Markdown, named for the text."""
    args = sides.arguments(__doc__, rounds=1, only=True, others="of the trainings, behind --")
    flags = [*args.others, *(SHORT if args.short else [])]
    text = text_of(flags)

    def row(name: str) -> sides.Row:
        work: Any = {name: (train, [*MODELS[name], *flags])}
        found, memory = sides.alternate(text, work, args.rounds)
        times = {column: sides.median([r[column] for r in found[name]]) for column in TIMED}
        row = {"model": name} | found[name][0] | times | {"MB": memory[name]}
        print(row, file=sys.stderr, flush=True)  # should a later one fail
        return row

    wanted = [n for n in MODELS if args.only in n and (not args.short or n in SHORT_MODELS)]
    at_once = max(1, (os.cpu_count() or 1) // args.threads)
    with ThreadPoolExecutor(at_once) as pool:
        sides.report(args, **{f"quality_{text}": list(pool.map(row, wanted))})


if __name__ == "__main__":
    main()
