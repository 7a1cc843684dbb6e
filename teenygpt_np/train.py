"""`python -m teenygpt_np.train`: train a TeenyGPT on the bundled headlines, or on your text."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teenygpt_np.cli import (
    MOST_THREADS,
    Parser,
    add_settings,
    add_threads,
    as_flag,
    given_settings,
    keep_freed_memory,
    path,
    run_command,
    set_up,
)
from teenygpt_np.config import PRESETS, SETTINGS, Config, make_config
from teenygpt_np.errors import InputError
from teenygpt_np.text.files import FILES
from teenygpt_np.text.reading import STDIN, shown, stdin

if TYPE_CHECKING:
    from teenygpt_np.text.tokenizer import Tokenizer
    from teenygpt_np.training.loop import Trainer


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.train", description=__doc__)
    parser.add_argument(
        "--data",
        type=path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help=f"a directory with train.txt, val.txt, test.txt; or {FILES}, which is split 80/10/10; "
        "or - for standard input; running text may be in any file, or in all files of a directory; "
        "several files are read one after the other (default: the bundled headlines)",
    )
    parser.add_argument(
        "--column",
        action="append",
        dest="columns",
        metavar="NAME",
        help="the column with the text; may be given several times",
    )
    parser.add_argument("--preset", choices=PRESETS, help="settings to begin with (default: small)")
    parser.add_argument("--out", type=path, metavar="DIR", help="a new directory for the run")
    add_settings(parser, SETTINGS)
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
    args.data, *args.more_data = args.data or [None]
    if STDIN in args.more_data or (args.data == STDIN and args.more_data):
        raise InputError("--data - is standard input, and is given alone")
    set_up(args.threads if args.threads is not None else _threads_of(args.resume))
    keep_freed_memory()
    from teenygpt_np.inspector.page import write_report

    with contextlib.ExitStack() as owned:  # holds the run directory's lock to the end
        trainer, out = (_resumed if args.resume is not None else _new)(args, owned)
        stopped_by = trainer.run(out, write_report)
    return 128 + stopped_by if stopped_by else 0


def _changes(args: Namespace) -> dict[str, Any]:
    """The settings that the flags change."""
    given = given_settings(args)
    if args.preset is not None:
        given["preset"] = args.preset
    if args.data is not None:
        given["data"] = str(STDIN) if args.data == STDIN else os.path.abspath(args.data)
        given["more_data"] = tuple(map(os.path.abspath, args.more_data))
    if args.columns:
        given["columns"] = tuple(args.columns)
    return given


def _named_as_flags(make: Callable[[], Config]) -> Config:
    """Return make(). In its errors, "NAME is 10, wanted ... NAME, 8", names become flags."""
    try:
        return make()
    except InputError as error:

        def flag(name: re.Match[str]) -> str:
            return as_flag(name[0]) if name[0] in SETTINGS else name[0]

        # Only there: what stands between is the value, which may contain a setting's name.
        raise InputError(re.sub(r"^\w+(?= is )|\w+(?=, \d+$)", flag, str(error))) from None


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
    from teenygpt_np import run_directory

    changes = {"preset": "small"} | _changes(args)
    file = changes.get("tokenizer", "")
    if file.endswith(".json"):
        changes["tokenizer"] = "bpe"
    config = _named_as_flags(lambda: make_config(**changes))
    tokenizer = None
    if file.endswith(".json"):
        tokenizer = _from_file(path(file), config)
        config = dataclasses.replace(config, vocab_size=tokenizer.num_token_vals)
    out = Path(args.out or "runs")
    for folder in (out, *out.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; wanted a new directory")
    if args.out:
        run_directory.check_new(out)
    if args.data == STDIN:
        return _from_stdin(args, config, tokenizer, out, owned)
    trainer = _trainer(config, args.quiet, out.parent if args.out else out, tokenizer)
    return trainer, _claimed(args, config, out, owned)


def _claimed(args: Namespace, config: Config, out: Path, owned: contextlib.ExitStack) -> Path:
    """Make the directory of a new run and lock it. Without --out it is a new one in `out`."""
    from teenygpt_np import run_directory

    out.mkdir(parents=True, exist_ok=True)
    if not args.out:
        out = _new_directory(out, config)
    owned.enter_context(run_directory.lock(out))
    run_directory.check_new(out)
    return out


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


def _from_stdin(
    args: Namespace,
    config: Config,
    tokenizer: Tokenizer | None,
    out: Path,
    owned: contextlib.ExitStack,
) -> tuple[Trainer, Path]:
    """A new run on standard input; its directory gets the text, so that the run can be resumed.

    If it is interrupted, or the text cannot be used, what was made is removed again.
    """
    from teenygpt_np import run_directory

    source = stdin()
    if args.out and (out / run_directory.TEXT).exists():
        raise InputError(f"{out / run_directory.TEXT} is there already; wanted a new --out")
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    directory, text = None, ""
    try:
        directory = _claimed(args, config, out, owned)
        text = run_directory.save_text(directory, source)
        config = dataclasses.replace(config, data=text)
        return _trainer(config, args.quiet, directory.parent, tokenizer), directory
    except BaseException as error:
        owned.close()  # the lock, which could not be removed otherwise on Windows
        if directory is not None:
            made = made if args.out else [directory, *made]
            run_directory.discard_text(directory)
        run_directory.remove_empty(made)
        if text and isinstance(error, InputError):
            raise InputError(str(error).replace(text, shown(STDIN))) from None
        raise


def _resumed(args: Namespace, owned: contextlib.ExitStack) -> tuple[Trainer, Path]:
    import minigrad as mg
    from teenygpt_np import run_directory

    out, changes = Path(args.resume), _changes(args)
    fixed = [name for name in changes if name not in run_directory.MAY_CHANGE]
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
    mg.choose_backend(description.get("backend", ""))
    config = _named_as_flags(lambda: dataclasses.replace(config, **changes))
    if args.data is None:
        run_directory.check_text(out, config)
    owned.enter_context(run_directory.lock(out))
    last = out / run_directory.LAST
    # With none of these files the run was killed before it saved anything: it starts anew.
    begun = [last, out / run_directory.BEST, out / run_directory.METRICS]
    saved = None
    if any(path.exists() for path in begun):
        saved = run_directory.load_last(out, config, tokenizer)
    trainer = _trainer(config, args.quiet, out.parent, tokenizer)
    if saved:
        trainer.restore(*saved, last)
    else:
        trainer.check_corpus(description, out / run_directory.CONFIG)
    if trainer.place.finished and (out / run_directory.REPORT).exists():
        epochs = trainer.place.epoch
        raise InputError(f"{out} is finished, after {epochs} epochs; nothing to resume")
    return trainer, out


def _trainer(
    config: Config, quiet: bool, folder: Path, tokenizer: Tokenizer | None = None
) -> Trainer:
    from teenygpt_np.run_directory import load_own_corpus
    from teenygpt_np.training.console import Console
    from teenygpt_np.training.loop import Trainer

    console = Console(quiet=quiet)
    return Trainer(config, load_own_corpus(config, folder, tokenizer, console.status), console)


def _new_directory(parent: Path, config: Config) -> Path:
    """Make the first free directory, at once, so that no other process takes it."""
    stem = Path(config.data).name.split(".")[0] if config.data else "bundled"
    stem = "stdin" if config.data == str(STDIN) else stem
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
