"""`python -m teenygpt_np.evaluate RUN`: score a trained model on a split, beside the baselines."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from teenygpt_np.cli import (
    Parser,
    add_settings,
    add_threads,
    as_flag,
    given_settings,
    path,
    run_command,
    set_up,
)
from teenygpt_np.config import SETTINGS, Config
from teenygpt_np.errors import InputError
from teenygpt_np.ranks import ranks
from teenygpt_np.text.reading import STDIN, check_encoding, shown

if TYPE_CHECKING:
    from teenygpt_np.run_directory import TrainedRun
    from teenygpt_np.text.batches import Split
    from teenygpt_np.text.report import Report

# The columns of the table: title, width, and each score with how it is written. Those are shown
# that the model has.
_Column = tuple[str, int, tuple[tuple[str, str], ...]]
_OF_LINES: tuple[_Column, ...] = (
    ("padding not counted", 22, (("nll_no_pad", "12.2f"), ("top1_no_pad", "10.1%"))),
    ("padding counted", 22, (("nll", "12.2f"), ("top1", "10.1%"))),
    ("a character", 13, (("nats_per_character", "13.3f"),)),
    ("bits a byte", 13, (("bits_per_byte", "13.3f"),)),
    ("a masked token", 22, (("masked_nats", "12.3f"), ("masked_top1", "10.1%"))),
)
_OF_PAIRS: tuple[_Column, ...] = (
    ("a target", 12, (("target_nats", "12.2f"),)),
    ("a character", 13, (("nats_per_character", "13.3f"),)),
    ("exact match", 13, (("exact_match", "13.1%"),)),
    ("edits a character", 19, (("edits", "19.3f"),)),
)
_OF_RUNNING_TEXT: tuple[_Column, ...] = (
    ("a character", 22, (("nats_per_character", "12.3f"), ("top1_no_pad", "10.1%"))),
    *_OF_LINES[3:],
)
_OF_LABELS: tuple[_Column, ...] = (
    ("a text", 12, (("label_nats", "12.3f"),)),
    ("accuracy", 12, (("accuracy", "12.1%"),)),
)
_OF_PREFERENCES: tuple[_Column, ...] = (
    ("a preference", 14, (("dpo_loss", "14.3f"),)),
    ("preferred", 12, (("preferred", "12.1%"),)),
    ("margin", 10, (("margin", "10.3f"),)),
    ("chosen", 10, (("chosen_nats", "10.2f"),)),
    ("rejected", 10, (("rejected_nats", "10.2f"),)),
)
# By `Config.text`: the columns, and what the table is of.
_TABLES = {
    "lines": (_OF_LINES, "nats, and the share of tokens predicted right"),
    "running": (_OF_RUNNING_TEXT, "nats, and the share of tokens predicted right"),
    "pairs": (
        _OF_PAIRS,
        "nats, and how near {pairs_written:,.0f} targets are that it writes, the likeliest tokens",
    ),
    "labels": (_OF_LABELS, "nats, and the share of texts whose label is told right"),
    "preferences": (
        _OF_PREFERENCES,
        "nats, how often a chosen answer gains on the rejected one, and beta times by how much",
    ),
}


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
        "--label", metavar="NAME", help="column of the labels (default: as in training)"
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
    add_settings(parser, ["eval_tokens"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_threads(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, score, print; 0."""
    args = _parser().parse_args(arguments)
    if args.encoding is not None:
        check_encoding(args.encoding, "--encoding")
    for name, value in given_settings(args).items():
        if wanted := SETTINGS[name].wanted(name, value):
            raise InputError(f"{as_flag(name)} is {value}, wanted {wanted}")
    set_up(args.threads)

    import numpy as np

    from teenygpt_np.run_directory import load_base, load_run
    from teenygpt_np.scores import nats
    from teenygpt_np.training.objectives import objective_of

    ranks().choose_backend()
    run = load_run(args.run)
    config = run.config
    _check_each(args, config)
    if args.eval_tokens is not None:
        config = dataclasses.replace(config, eval_tokens=args.eval_tokens)
    objective = objective_of(config, run.tokenizer)
    text = _read(args, run)
    if args.data and ranks().is_first:
        _tell(text, config.num_tokens)
    rows = objective.known(text.split.cut(config.num_tokens))
    if objective.refers:
        rows = objective.prepared(load_base(config, args.run.parent).model, rows, ranks().map)
    with np.errstate(all="ignore"):
        table = {"model": objective.scores(run.model, rows, ranks().map)}
        each = nats(run.model, rows, ranks().map).tolist() if args.each else []
    if not np.isfinite([*table["model"].values(), *each]).all():
        raise InputError(f"the scores of {args.run} are not finite: its weights are too large")
    if text.train is not None:
        table |= objective.baselines(objective.known(text.train.cut(config.num_tokens)), rows)
    if text.truth and "nll_no_pad" in table["model"]:
        table["grammar"] = {"nll_no_pad": text.truth}
    scored = len(rows.evenly(config.eval_tokens))
    if args.json:
        told = {"data": text.name, "split": text.part, "lines": scored, **table}
        print(json.dumps(told | ({"each": each} if args.each else {})))
    elif args.each:
        for value, line in zip(each, text.split.texts(), strict=True):
            print(f"{value:.2f}\t{line}")
    else:
        what = (
            f"all of {text.name}" if text.part == "all" else f"the {text.part} split of {text.name}"
        )
        share = "" if scored == len(rows) else f", {scored:,} of them scored, spread over it"
        print(f"{len(rows):,} {rows.unit}{'s' * (len(rows) != 1)}, {what}{share}")
        _print_table(table, config.text)
    return 0


def _check_each(args: argparse.Namespace, config: Config) -> None:
    """Raise InputError if --each is given for a run that it is not for."""
    if args.each and config.text != "lines":
        what = "running text" if config.text == "running" else config.text
        raise InputError(f"--each is for lines, and {args.run} was trained on {what}")
    if args.each and config.objective == "masked":
        raise InputError(f"--each is for whole lines, and {args.run} fills in masked tokens")


class _Text(NamedTuple):
    """A text to score.

    part: the name of its split, or 'all'.    split: that, in rows of any length
    train: what the baselines learn from, if it has such a split
    truth: nats of a line under the grammar that wrote it, if that is known
    """

    name: str
    part: str
    split: Any
    report: Report
    train: Split | None = None
    truth: float | None = None


def _read(args: argparse.Namespace, run: TrainedRun) -> _Text:
    """The run's own text, or the one that is given."""
    from teenygpt_np.run_directory import check_text, load_own_corpus
    from teenygpt_np.text.corpus import is_hash_of, read_whole

    config, columns = run.config, _columns(args, run.config)
    if args.data and (args.data == STDIN or args.data.is_file()) and not args.split:
        settings = {"columns": columns, "split_on": config.split_on, "text": config.text}
        encoding = args.encoding or "utf-8"
        split, report = read_whole(args.data, run.tokenizer, encoding=encoding, **settings)
        return _Text(shown(STDIN) if args.data == STDIN else args.data.name, "all", split, report)
    if args.data:
        config = dataclasses.replace(config, data=str(args.data), more_data=(), encoding="utf-8")
    else:
        check_text(args.run, config)
    encoding = args.encoding or config.encoding
    config = dataclasses.replace(config, columns=columns, encoding=encoding)
    corpus = load_own_corpus(config, args.run.parent, run.tokenizer)
    if not args.data and not is_hash_of(run.meta.get("corpus"), corpus):
        raise InputError(
            f"{corpus.name} has changed since {args.run} was trained on it, so its splits "
            "differ; wanted the same text, or another one with --data"
        )
    part = args.split or "test"
    truth = corpus.truth[part] if corpus.truth else None
    train = corpus.splits["train"]
    return _Text(corpus.name, part, corpus.splits[part], corpus.report, train, truth)


def _tell(text: _Text, num_tokens: int) -> None:
    """Print, as notes, what of another text is not scored."""
    report, split = text.report, text.split
    if report.empty or report.missing or report.notes:
        print(report, file=sys.stderr)
    if cut := split.num_cut(num_tokens):
        lost = split.num_lost(num_tokens)
        gone = f"; {lost} that differ only there are left out" if lost else ""
        print(
            f"{split.unit}s longer than {num_tokens - 1} tokens, scored without the rest: "
            f"{cut}{gone}",
            file=sys.stderr,
        )


def _print_table(table: Mapping[str, Mapping[str, float]], kind: str) -> None:
    """Print the scores of the model and of the baselines.    kind: `Config.text`"""
    known, title = _TABLES[kind]
    print(title.format_map(table["model"]) + "\n")
    columns = [column for column in known if column[2][0][0] in table["model"]]
    print(f"{'':10}" + "".join(f"{title:>{width}}" for title, width, _ in columns))
    for predictor, row in table.items():
        cells = (
            "".join(f"{row[key]:{form}}" for key, form in pair if key in row).rjust(width)
            for _, width, pair in columns
        )
        print(f"{predictor:10}{''.join(cells)}".rstrip())
    for score in filter(lambda name: name.startswith("recall of "), table["model"]):
        print(f"{score}: {table['model'][score]:.1%}")


def _columns(args: argparse.Namespace, config: Config) -> tuple[str, ...]:
    """The columns to read: those that are given, or of the run's own text the same as in training.

    A label is always in a column, and so is looked for in one of the same name in other texts too.
    """
    if config.text == "labels":
        *text, label = config.columns
        return (*(args.columns or text), args.label or label)
    if args.label is not None:
        raise InputError(f"--label is for a run that tells labels, and {args.run} tells none")
    return tuple(args.columns or (() if args.data else config.columns))


if __name__ == "__main__":
    run_command("teenygpt_np.evaluate", main, shared_out=True)
