"""How a run begins: its settings by the flags, its directory, and its trainer."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from teenygpt_np import run_directory
from teenygpt_np.cli import as_flag, given_settings
from teenygpt_np.config import SETTINGS, Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.building import outline
from teenygpt_np.ranks import ranks
from teenygpt_np.run_directory import load_base, load_own_corpus, take_base
from teenygpt_np.text.labels import Labelled
from teenygpt_np.text.reading import STDIN, shown, stdin
from teenygpt_np.text.tokenizer import Tokenizer
from teenygpt_np.training.console import Console
from teenygpt_np.training.loop import Trainer

_T = TypeVar("_T")


def changes(args: Namespace) -> dict[str, Any]:
    """The settings that the flags change."""
    given = given_settings(args)
    if getattr(args, "preset", None) is not None:
        given["preset"] = args.preset
    if args.data is not None:
        given["data"] = str(STDIN) if args.data == STDIN else os.path.abspath(args.data)
        given["more_data"] = tuple(map(os.path.abspath, args.more_data))
    for flag, kind in {"pairs": "pairs", "label": "labels", "preferences": "preferences"}.items():
        if getattr(args, flag, None) is not None:
            if both := [name for name in ("text", "objective") if name in given]:
                raise InputError(f"--{both[0]} can't be given with --{flag}, which says it already")
            given |= {"text": kind, "objective": kind}
    if getattr(args, "label", None) is not None:
        args.columns = [*(args.columns or []), args.label]
    if getattr(args, "preferences", None) is not None:
        given = {"dropout": 0.0} | given
    if args.columns:
        given["columns"] = tuple(args.columns)
    return given


def named_as_flags(make: Callable[[], _T]) -> _T:
    """Return make(). In its errors, "NAME is 10, wanted ... NAME, 8", names become flags."""
    try:
        return make()
    except InputError as error:

        def flag(name: re.Match[str]) -> str:
            return as_flag(name[0]) if name[0] in SETTINGS else name[0]

        # Only there: what stands between is the value, which may contain a setting's name.
        named = r"^\w+(?= is )|\w+(?=, \d+$)|(?<=: )\w+(?= and \w+$)|(?<= and )\w+$"
        raise InputError(re.sub(named, flag, str(error))) from None


def begun(
    args: Namespace,
    config: Config,
    owned: contextlib.ExitStack,
    tokenizer: Tokenizer | None = None,
) -> tuple[Trainer, Path]:
    """A new run with these settings, and its directory.

    tokenizer: one that is not learned from the text    owned: gets the directory's lock
    """
    out = Path(args.out or "runs")
    # Known before the text is read, which may be long.
    named_as_flags(lambda: outline(config, num_token_vals=1))
    all_ranks = ranks()
    if args.shards is None:
        config = dataclasses.replace(config, shards=all_ranks.count)
    if all_ranks.is_first:
        run_directory.check_directory(out)
        if args.out:
            run_directory.check_new(out)
    if args.data == STDIN:
        return _from_stdin(args, config, out, owned, tokenizer)
    trainer = trainer_of(config, args.quiet, out.parent if args.out else out, tokenizer)
    if all_ranks.is_first:
        out = _claimed(args, config, out, owned)
    return trainer, all_ranks.from_first(out)


def _claimed(args: Namespace, config: Config, out: Path, owned: contextlib.ExitStack) -> Path:
    """Make the directory of a new run and lock it. Without --out it is a new one in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    if not args.out:
        out = _new_directory(out, config)
    owned.enter_context(run_directory.lock(out))
    run_directory.check_new(out)
    return out


def _from_stdin(
    args: Namespace,
    config: Config,
    out: Path,
    owned: contextlib.ExitStack,
    tokenizer: Tokenizer | None,
) -> tuple[Trainer, Path]:
    """A new run on standard input; its directory gets the text, so that the run can be resumed.

    If it is interrupted, or the text cannot be used, what was made is removed again.
    """
    source = stdin()
    if args.out and (out / run_directory.TEXT).exists():
        raise InputError(f"{out / run_directory.TEXT} is there already; wanted a new --out")
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    directory, text = None, ""
    try:
        directory = _claimed(args, config, out, owned)
        text = run_directory.save_text(directory, source)
        config = dataclasses.replace(config, data=text)
        return trainer_of(config, args.quiet, directory.parent, tokenizer), directory
    except BaseException as error:
        owned.close()  # the lock, which could not be removed otherwise on Windows
        if directory is not None:
            made = made if args.out else [directory, *made]
            run_directory.discard_text(directory)
        run_directory.remove_empty(made)
        if text and isinstance(error, InputError):
            raise InputError(str(error).replace(text, shown(STDIN))) from None
        raise


def trainer_of(
    config: Config,
    quiet: bool,
    folder: Path,
    tokenizer: Tokenizer | None = None,
    *,
    goes_on: bool = False,
) -> Trainer:
    """goes_on: whether it will be given all weights but those that stay frozen"""
    console = Console(quiet=quiet or not ranks().is_first)
    corpus = load_own_corpus(config, folder, tokenizer, console.status)
    train = corpus.splits["train"]
    if isinstance(train, Labelled):
        config = dataclasses.replace(config, classes=train.classes)
    trainer = Trainer(config, corpus, console, ranks())
    takes = bool(config.base) and (config.is_frozen or not goes_on)
    refers = trainer.objective.refers
    if takes or refers:
        base = load_base(config, folder).model
    if takes:
        take_base(trainer.model, base)
    if refers:
        console.status("what the base makes of all rows")
        trainer.rows = {
            name: trainer.objective.prepared(base, rows, ranks().map)
            for name, rows in trainer.rows.items()
        }
    return trainer


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
