"""`python -m teenygpt_np.train`: train a TeenyGPT on the bundled headlines, or on your text."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from teenygpt_np.cli import (
    MOST_THREADS,
    Parser,
    add_settings,
    add_text,
    add_threads,
    as_flag,
    keep_freed_memory,
    path,
    run_command,
    set_up,
    take_text,
)
from teenygpt_np.config import PRESETS, SETTINGS, Config, make_config
from teenygpt_np.errors import InputError
from teenygpt_np.text.reading import STDIN

if TYPE_CHECKING:
    from teenygpt_np.text.tokenizer import Tokenizer
    from teenygpt_np.training.loop import Trainer


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.train", description=__doc__)
    add_text(parser)
    parser.add_argument(
        "--pairs",
        type=path,
        metavar="PATH",
        help="learn to write a target from its source: a .tsv with a source, a tab and a target on "
        "each line; any table with --column twice; a directory with train.tsv, val.tsv, test.tsv; "
        "or - for standard input",
    )
    parser.add_argument("--preset", choices=PRESETS, help="settings to begin with (default: small)")
    parser.add_argument("--out", type=path, metavar="DIR", help="a new directory for the run")
    names = [name for name, setting in SETTINGS.items() if setting.of != "fine-tuning"]
    add_settings(parser, names, {"shards": "the number of processes"})
    add_threads(parser, "; with --resume, the number that the run began with")
    parser.add_argument(
        "--resume",
        type=path,
        metavar="DIR",
        help="continue a stopped run, or a finished one with a higher --epochs",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, train; 0 at the end, 128 + the signal's number if a signal stopped the run."""
    args = _parser().parse_args(arguments)
    take_text(args)
    set_up(args.threads if args.threads is not None else _threads_of(args.resume))
    keep_freed_memory()
    from teenygpt_np.inspector.page import write_report

    with contextlib.ExitStack() as owned:  # holds the run directory's lock to the end
        trainer, out = (_resumed if args.resume is not None else _new)(args, owned)
        stopped_by = trainer.run(out, write_report)
    return 128 + stopped_by if stopped_by else 0


def _threads_of(run: Path | None) -> int | None:
    """The number of threads that the run began with, since only that gives the same bits.

    None if config.json does not say it. The file is read here, because `run_directory` imports
    NumPy, before which the number must be set. Errors in the file are reported later, by that.
    """
    if run is None or not (run / "config.json").is_file():  # reading a pipe would wait for a writer
        return None
    try:
        with (run / "config.json").open(encoding="utf-8") as file:
            threads = json.loads(file.read(1 << 20))["threads"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return threads if isinstance(threads, int) and 1 <= threads <= MOST_THREADS else None


def _new(args: Namespace, owned: contextlib.ExitStack) -> tuple[Trainer, Path]:
    from teenygpt_np.starting import begun, changes, named_as_flags

    if args.pairs is not None:
        if args.data is not None:
            raise InputError("--pairs can't be given with --data, as both say what the text is")
        if args.label is not None:
            raise InputError("--pairs can't be given with --label: a pair has no label")
        args.data = args.pairs
    given = {"preset": "small"} | changes(args)
    file = given.get("tokenizer", "")
    if file.endswith(".json"):
        given["tokenizer"] = "bpe"
    config = named_as_flags(lambda: make_config(**given))
    tokenizer = None
    if file.endswith(".json"):
        tokenizer = _from_file(path(file), config)
        config = dataclasses.replace(config, vocab_size=tokenizer.num_token_vals)
    return begun(args, config, owned, tokenizer)


def _from_file(file: Path, config: Config) -> Tokenizer:
    """The tokenizer in a tokenizer.json, in place of one learned from the text."""
    from teenygpt_np.text.tokenizer_json import read_json

    tokenizer = read_json(file, running=config.text == "running")
    if config.vocab_size not in (0, tokenizer.num_token_vals):
        raise InputError(
            f"--vocab-size is {config.vocab_size:,}, and {file} has "
            f"{tokenizer.num_token_vals:,} token values"
        )
    return tokenizer


def _resumed(args: Namespace, owned: contextlib.ExitStack) -> tuple[Trainer, Path]:
    from teenygpt_np import run_directory
    from teenygpt_np.ranks import ranks
    from teenygpt_np.starting import changes, named_as_flags, trainer_of

    for name in ("pairs", "label"):
        if getattr(args, name) is not None:
            raise InputError(
                f"--{name} can't be given with --resume; --data says where its text is now"
            )
    out, changed = Path(args.resume), changes(args)
    fixed = [name for name in changed if name not in run_directory.MAY_CHANGE]
    if refused := [*map(as_flag, fixed), *(["--out"] if args.out else [])]:
        raise InputError(
            f"{refused[0]} can't be changed with --resume, which continues {out} as it was begun"
        )
    if args.data == STDIN:
        raise InputError(
            "--data - can't be given with --resume: a run has a copy of what it read from there"
        )
    run_directory.check_files(out)
    description, config, tokenizer = run_directory.read_description(out)
    ranks().choose_backend(description.get("backend", ""))
    config = named_as_flags(lambda: dataclasses.replace(config, **changed))
    if args.data is None:
        run_directory.check_text(out, config)
    if ranks().is_first:
        owned.enter_context(run_directory.lock(out))
    last = out / run_directory.LAST
    # With none of these files the run was killed before it saved anything: it starts anew.
    written = [last, out / run_directory.BEST, out / run_directory.METRICS]
    saved = None
    if any(path.exists() for path in written):
        saved = run_directory.load_last(out, config, tokenizer)
    trainer = trainer_of(config, args.quiet, out.parent, tokenizer, goes_on=saved is not None)
    if saved:
        trainer.restore(*saved, last)
    else:
        trainer.check_corpus(description, out / run_directory.CONFIG)
    if trainer.place.finished and (out / run_directory.REPORT).exists():
        place, most = trainer.place, trainer.config.max_steps
        done = f"{most:,} steps, max_steps" if place.step == most else f"{place.epoch} epochs"
        raise InputError(f"{out} is finished, after {done}; nothing to resume")
    return trainer, out


if __name__ == "__main__":
    run_command("teenygpt_np.train", main, shared_out=True)
