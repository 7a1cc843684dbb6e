"""`python -m teenygpt_np.train`: train a TeenyGPT on the bundled headlines, or on your own."""

from __future__ import annotations

import contextlib
import os
import re
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teenygpt_np.cli import (
    Parser,
    add_settings,
    as_flag,
    given_settings,
    keep_freed_memory,
    path,
    run_command,
    set_up,
)
from teenygpt_np.config import PRESETS, SETTINGS, Config, make_config
from teenygpt_np.errors import InputError

if TYPE_CHECKING:
    from teenygpt_np.text.tokenizer import Tokenizer
    from teenygpt_np.training.loop import Trainer


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.train", description=__doc__)
    parser.add_argument(
        "--data",
        type=path,
        metavar="PATH",
        help="a directory with train.txt, val.txt, test.txt; or one .txt, .csv, .tsv or .jsonl, "
        "plain or .gz, which is split 80/10/10 (default: the bundled headlines)",
    )
    parser.add_argument(
        "--column",
        action="append",
        dest="columns",
        metavar="NAME",
        help="a column of the table with headlines; may be given several times",
    )
    parser.add_argument("--preset", choices=PRESETS, help="(default: small)")
    parser.add_argument("--out", type=path, metavar="DIR", help="a new directory for the run")
    add_settings(parser, SETTINGS)
    parser.add_argument("--threads", type=int, metavar="N", help="(default: all cores)")
    parser.add_argument("--resume", type=path, metavar="DIR", help="go on with a stopped run")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, train; 0 at the end, 128 + the signal's number where one stopped the run."""
    args = _parser().parse_args(arguments)
    set_up(args.threads)
    keep_freed_memory()
    from teenygpt_np.inspector.page import write_report

    with contextlib.ExitStack() as owned:  # closed at the end: the lock of the run directory
        trainer, out = (_resumed if args.resume is not None else _new)(args, owned)
        stopped_by = trainer.run(out, write_report)
    return 128 + stopped_by if stopped_by else 0


def _changes(args: Namespace) -> dict[str, Any]:
    """What was said of the run by flags."""
    given = given_settings(args)
    if args.preset is not None:
        given["preset"] = args.preset
    if args.data is not None:
        given["data"] = os.path.abspath(args.data)
    if args.columns:
        given["columns"] = tuple(args.columns)
    return given


def _new(args: Namespace, owned: contextlib.ExitStack) -> tuple[Trainer, Path]:
    from teenygpt_np import run_directory

    changes = {"preset": "small"} | _changes(args)
    try:
        config = make_config(**changes)
    except InputError as error:  # which names settings; the user knows them as flags
        text = str(error)
        for name in changes:
            text = re.sub(rf"\b{name}\b", as_flag(name), text, count=1)
        raise InputError(text) from None
    out = Path(args.out or "runs")
    for folder in (out, *out.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; wanted a new directory")
    if args.out:
        run_directory.check_new(out)
    trainer = _trainer(config, args.quiet)
    out.mkdir(parents=True, exist_ok=True)
    if not args.out:
        out = _new_directory(out, config)
    owned.enter_context(run_directory.lock(out))
    run_directory.check_new(out)
    return trainer, out


def _resumed(args: Namespace, owned: contextlib.ExitStack) -> tuple[Trainer, Path]:
    from teenygpt_np import run_directory

    out = Path(args.resume)
    if changed := [*map(as_flag, _changes(args)), *(["--out"] if args.out else [])]:
        raise InputError(
            f"{changed[0]} can't be changed by --resume, which goes on with {out} as it is"
        )
    run_directory.check_files(out)
    description, config, tokenizer = run_directory.read_description(out)
    owned.enter_context(run_directory.lock(out))
    last = out / run_directory.LAST
    # Without any of these it was killed before it had anything to save.
    begun = [last, out / run_directory.BEST, out / run_directory.METRICS]
    saved = None
    if any(path.exists() for path in begun):
        saved = run_directory.load_last(out, config, tokenizer)
    trainer = _trainer(config, args.quiet, tokenizer)
    if saved:
        trainer.restore(*saved, last)
    else:
        trainer.check_corpus(description, out / run_directory.CONFIG)
    if trainer.place.finished and (out / run_directory.REPORT).exists():
        epochs = trainer.place.epoch
        raise InputError(f"{out} is finished, after {epochs} epochs; nothing to resume")
    return trainer, out


def _trainer(config: Config, quiet: bool, tokenizer: Tokenizer | None = None) -> Trainer:
    from teenygpt_np.run_directory import load_own_corpus
    from teenygpt_np.training.console import Console
    from teenygpt_np.training.loop import Trainer

    return Trainer(config, load_own_corpus(config, tokenizer), Console(quiet=quiet))


def _new_directory(parent: Path, config: Config) -> Path:
    """The first that is not there; made at once, so that no other process takes it."""
    stem = Path(config.data).name.split(".")[0] if config.data else "bundled"
    number = 1
    while True:
        out = parent / f"{stem}-{config.preset}-{number}"
        try:
            out.mkdir()
        except FileExistsError:
            number += 1
        else:
            return out


if __name__ == "__main__":
    run_command("teenygpt_np.train", main)
