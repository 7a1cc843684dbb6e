"""Teach a trained model what is preferred, by a rule: short lines over long ones.

Usage: python examples/preferences.py RUN OUT [--pairs N] [--epochs N] [--beta B ...]

RUN writes 2 N lines. Of each two the shorter is the chosen answer, the longer the rejected one. RUN
is fine-tuned on that once for each beta, in a new directory in OUT. Prints for RUN and for each of
these runs how many of 500 new lines are shorter than half of RUN's, the scores on held-out
preferences, how far it has gone from RUN (KL: the mean of ln p - ln p_RUN on the lines that it
writes, in nats), and the nats of RUN's test split, which tell what else was unlearned.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from teenygpt_np import finetune
from teenygpt_np.cli import run_command
from teenygpt_np.run_directory import TrainedRun, load_own_corpus, load_run
from teenygpt_np.scores import nats, scores
from teenygpt_np.text.batches import Rows

COLUMNS = [("dpo_loss", "11.3f"), ("preferred", "11.1%"), ("margin", "8.2f")]
COLUMNS += [("chosen_nats", "13.2f"), ("rejected_nats", "10.2f")]


def written(run: TrainedRun, number: int, seed: int) -> list[str]:
    """Lines by a run's model, at temperature 1."""
    tokenizer, rng = run.tokenizer, np.random.default_rng(seed)
    prompt = tokenizer.encode_prompt("").tolist()
    texts: list[str] = []
    while len(texts) < number:
        ids = run.model.sample(100, prompt=prompt, end=tokenizer.end, rng=rng)
        texts += map(tokenizer.decode, ids)
    return texts[:number]


def main() -> int:
    """Write lines, prefer the short ones, fine-tune, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--beta", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1.0])
    args = parser.parse_args()

    base = load_run(args.run)
    lines = written(base, 2 * args.pairs, seed=1)
    half = np.median([len(line) for line in lines])
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "preferences.jsonl"
    with file.open("w", encoding="utf-8") as rows:
        for pair in zip(lines[::2], lines[1::2], strict=True):
            chosen, rejected = sorted(pair, key=len)
            if len(chosen) < len(rejected):
                row = {"prompt": "", "chosen": chosen, "rejected": rejected}
                rows.write(json.dumps(row) + "\n")
    corpus = load_own_corpus(base.config, args.out, base.tokenizer)
    texts = corpus.rows("test", base.config.num_tokens)

    print(
        "             short   dpo_loss  preferred  margin  chosen nats  rejected     KL  test nats"
    )

    def row(name: str, run: TrainedRun, test: dict[str, float]) -> None:
        lines = written(run, 500, seed=2)
        short = np.mean([len(line) < half for line in lines])
        figures = "".join(f"{test.get('test_' + key, np.nan):{form}}" for key, form in COLUMNS)
        rows = Rows.of(lines, run.tokenizer, run.config.num_tokens)
        kl = np.mean(nats(base.model, rows) - nats(run.model, rows))
        test_nats = scores(run.model, texts, most_tokens=20_000)["nll_no_pad"]
        print(f"{name:10}{short:8.1%}{figures}{kl:7.2f}{test_nats:11.2f}", flush=True)

    row("RUN", base, {})
    for beta in args.beta:
        out = args.out / f"beta-{beta:g}"
        flags = ["--preferences", str(file), "--beta", str(beta), "--epochs", str(args.epochs)]
        finetune.main([str(args.run), "--out", str(out), "--quiet", *flags])
        row(f"beta {beta:g}", load_run(out), json.loads((out / "test.json").read_text("utf-8")))
    return 0


if __name__ == "__main__":
    run_command("examples/preferences.py", main)
