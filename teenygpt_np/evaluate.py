"""`python -m teenygpt_np.evaluate RUN`: score a trained model on a split, beside guessing."""

from __future__ import annotations

import dataclasses
import json

from teenygpt_np.cli import THREADS_HELP, Parser, path, run_command, set_up
from teenygpt_np.errors import InputError


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.evaluate", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--data", type=path, metavar="PATH", help="other text (default: the run's own)"
    )
    parser.add_argument(
        "--column", action="append", dest="columns", metavar="NAME", help="as for the training"
    )
    parser.add_argument("--split", choices=["train", "val", "test"], default="test")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--threads", type=int, metavar="N", help=THREADS_HELP.format(""))
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, score, print; 0."""
    args = _parser().parse_args(arguments)
    set_up(args.threads)

    import numpy as np

    from teenygpt_np.baselines import baselines
    from teenygpt_np.run_directory import load_own_corpus, load_run
    from teenygpt_np.scores import scores
    from teenygpt_np.text.corpus import corpus_hash

    run = load_run(args.run)
    config = run.config
    if args.data:
        config = dataclasses.replace(config, data=str(args.data), columns=())
    if args.columns:
        config = dataclasses.replace(config, columns=tuple(args.columns))
    corpus = load_own_corpus(config, run.tokenizer)
    if not args.data and corpus_hash(corpus) != run.meta.get("corpus"):
        raise InputError(
            f"{corpus.name} is not what {args.run} was trained on any more, so that its splits "
            "have changed; wanted the same text, or another by --data"
        )
    train, rows = (corpus.rows(split, run.config.num_tokens) for split in ("train", args.split))
    with np.errstate(all="ignore"):
        table = {"model": scores(run.model, rows)}
    if not np.isfinite(list(table["model"].values())).all():
        raise InputError(f"the scores of {args.run} are not finite: its weights are too large")
    table |= baselines(train, rows, run.tokenizer.num_token_vals)
    if corpus.truth:
        table["grammar"] = {"nll_no_pad": corpus.truth[args.split]}
    if args.json:
        print(json.dumps({"data": corpus.name, "split": args.split, "lines": len(rows), **table}))
        return 0
    print(f"{len(rows):,} {corpus.unit}s, the {args.split} split of {corpus.name}")
    print(f"nats per {corpus.unit}, and the share of next characters guessed right\n")
    print(f"{'':10}{'pads not counted':>22}{'pads counted':>22}")
    for name, row in table.items():
        cells = [
            f"{row[nll]:12.2f}{row[top1]:10.1%}" if top1 in row else f"{row.get(nll, ''):12.2f}"
            for nll, top1 in (("nll_no_pad", "top1_no_pad"), ("nll", "top1"))
            if nll in row
        ]
        print(f"{name:10}{''.join(cells)}")
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.evaluate", main)
