"""`python -m teenygpt_np.evaluate RUN`: score a trained model on a split, beside the baselines."""

from __future__ import annotations

import dataclasses
import json
import sys

from teenygpt_np.cli import Parser, add_threads, path, run_command, set_up
from teenygpt_np.errors import InputError
from teenygpt_np.text.reading import STDIN, check_encoding, shown


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.evaluate", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--data",
        type=path,
        metavar="PATH",
        help="text to score; - is standard input (default: the run's own)",
    )
    parser.add_argument(
        "--column",
        action="append",
        dest="columns",
        metavar="NAME",
        help="column of the text, as for training",
    )
    parser.add_argument(
        "--encoding",
        metavar="NAME",
        help="encoding of the text (default: utf-8, or that of the run's own)",
    )
    parser.add_argument(
        "--split",
        choices=["train", "val", "test"],
        help="split to score (default: test; for a single file given by --data, all of its lines)",
    )
    parser.add_argument(
        "--each", action="store_true", help="print the nats of each line, a tab, and the line"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_threads(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, score, print; 0."""
    args = _parser().parse_args(arguments)
    if args.encoding is not None:
        check_encoding(args.encoding, "--encoding")
    set_up(args.threads)

    import numpy as np

    import minigrad as mg
    from teenygpt_np.baselines import baselines
    from teenygpt_np.run_directory import load_own_corpus, load_run
    from teenygpt_np.scores import nats, scores
    from teenygpt_np.text.batches import Rows
    from teenygpt_np.text.corpus import corpus_hash, read_lines

    mg.choose_backend()
    run = load_run(args.run)
    config, tokenizer = run.config, run.tokenizer
    truth, train = None, None
    if args.data and (args.data == STDIN or args.data.is_file()) and not args.split:
        name = shown(STDIN) if args.data == STDIN else args.data.name
        split, unit, encoding = "all", "line", args.encoding or "utf-8"
        lines, report = read_lines(args.data, tokenizer, args.columns or (), encoding)
    else:
        if args.data:
            config = dataclasses.replace(config, data=str(args.data), columns=(), encoding="utf-8")
        if args.columns:
            config = dataclasses.replace(config, columns=tuple(args.columns))
        if args.encoding:
            config = dataclasses.replace(config, encoding=args.encoding)
        corpus = load_own_corpus(config, tokenizer)
        if not args.data and corpus_hash(corpus) != run.meta.get("corpus"):
            raise InputError(
                f"{corpus.name} has changed since {args.run} was trained on it, so its splits "
                "differ; wanted the same text, or another one with --data"
            )
        name, split, unit = corpus.name, args.split or "test", corpus.unit
        report = corpus.report
        lines, train = corpus.lines(split), corpus.rows("train", config.num_tokens)
        truth = corpus.truth and corpus.truth[split]
    if args.data:
        if report.empty or report.missing or report.notes:
            print(report, file=sys.stderr)
        most = config.num_tokens - 1
        if cut := sum(len(line) > most for line in lines):
            print(
                f"lines longer than {most} characters, scored without the rest: {cut}",
                file=sys.stderr,
            )
    rows = Rows.of(lines, tokenizer, config.num_tokens)
    with np.errstate(all="ignore"):
        table = {"model": scores(run.model, rows)}
        each = nats(run.model, rows).tolist() if args.each else []
    if not np.isfinite([*table["model"].values(), *each]).all():
        raise InputError(f"the scores of {args.run} are not finite: its weights are too large")
    if train is not None:
        table |= baselines(train, rows, tokenizer.num_token_vals)
    if truth:
        table["grammar"] = {"nll_no_pad": truth}
    if args.json:
        told = {"data": name, "split": split, "lines": len(rows), **table}
        print(json.dumps(told | ({"each": each} if args.each else {})))
        return 0
    if args.each:
        for value, line in zip(each, lines, strict=True):
            print(f"{value:.2f}\t{line}")
        return 0
    what = f"all of {name}" if split == "all" else f"the {split} split of {name}"
    print(f"{len(rows):,} {unit}{'s' * (len(rows) != 1)}, {what}")
    print(f"nats per {unit}, and the share of next tokens predicted right\n")
    print(f"{'':10}{'padding not counted':>22}{'padding counted':>22}")
    for predictor, row in table.items():
        cells = [
            f"{row[nll]:12.2f}" + (f"{row[top1]:10.1%}" if top1 in row else "")
            for nll, top1 in (("nll_no_pad", "top1_no_pad"), ("nll", "top1"))
            if nll in row
        ]
        print(f"{predictor:10}{''.join(cells)}")
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.evaluate", main)
