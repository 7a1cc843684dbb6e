"""`python -m teenygpt_np.train`: train a TeenyGPT on the bundled headlines, or on your own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teenygpt_np.cli import Parser, keep_freed_memory, path, run_command, set_up
from teenygpt_np.config import OPTIMIZERS, PRESETS, Config, make_config
from teenygpt_np.errors import InputError

if TYPE_CHECKING:
    from teenygpt_np.text.characters import Tokenizer
    from teenygpt_np.training.loop import Trainer

_MAX_CONFIG = 1 << 20  # characters; what is cut is no JSON
_NUMBERS = {
    "epochs": (int, "at most this many times through the training split"),
    "max_steps": (int, "stop after this many steps; 0 for no such limit"),
    "batch_size": (int, "headlines in a step"),
    "lr": (float, "the highest learning rate"),
    "patience": (int, "stop after more than this many epochs in a row without a new best"),
    "seed": (int, "of everything random, and of the split of a single file"),
    "num_emb": (int, "width of the model"),
    "num_heads": (int, "attention heads; must divide num-emb"),
    "num_neurons": (int, "width of the MLPs, as a multiple of num-emb"),
    "num_blocks": (int, "transformer blocks"),
    "num_tokens": (int, "longest headline, in tokens: its characters, and one before them"),
    "dropout": (float, "share of the embedding that training drops"),
    "weight_decay": (float, "how much a step shrinks the weights, as a multiple of lr"),
    "clip_grad_norm": (float, "longest gradient; 0 for any"),
}


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
    parser.add_argument(
        "--alphabet",
        choices=["article", "corpus"],
        help="a-z and space, to which all text is folded; or the corpus's own characters",
    )
    parser.add_argument("--preset", choices=PRESETS, default="small", help="(default: small)")
    parser.add_argument("--out", type=path, metavar="DIR", help="a new directory for the run")
    for name, (kind, text) in _NUMBERS.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=kind, metavar="N" if kind is int else "X", help=text)
    parser.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        help="of the blocks' weight matrices; AdamW has all the rest",
    )
    parser.add_argument(
        "--pads",
        choices=["ignore", "count"],
        help="count each headline up to its first pad, or all num-tokens of it",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="(default: all cores)")
    parser.add_argument("--resume", type=path, metavar="DIR", help="go on with a stopped run")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, train; 0 at the end, 128 + the signal's number where one stopped the run."""
    args = _parser().parse_args(arguments)
    set_up(args.threads)
    keep_freed_memory()
    with contextlib.ExitStack() as owned:  # closed at the end: the lock of the run directory
        trainer = (_resumed if args.resume is not None else _new)(args, owned)
        trainer.prepare()
        _stop_on_signals(trainer)
        try:
            return 0 if trainer.train() else 128 + trainer.stop_signal
        except OSError as error:
            if error.filename is None:  # no file's, but the output's: the terminal has gone, say
                trainer.save()
            raise


def _changes(args: Namespace) -> dict[str, Any]:
    """The settings that were given as flags."""
    given = {name: getattr(args, name) for name in [*_NUMBERS, "alphabet", "optimizer"]}
    if args.data is not None:
        given["data"] = os.path.abspath(args.data)
    if args.columns:
        given["columns"] = tuple(args.columns)
    if args.pads:
        given["ignore_pads"] = args.pads == "ignore"
    return {name: value for name, value in given.items() if value is not None}


def _new(args: Namespace, owned: contextlib.ExitStack) -> Trainer:
    from teenygpt_np import run_directory

    changes = _changes(args)
    try:
        config = make_config(args.preset, **changes)
    except InputError as error:  # which names settings; the user knows them as flags
        text = str(error)
        for name in changes:
            text = re.sub(rf"\b{name}\b", f"--{name.replace('_', '-')}", text, count=1)
        raise InputError(text) from None
    out = Path(args.out or "runs")
    for folder in (out, *out.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; wanted a new directory")
    if args.out:
        run_directory.check_new(out)
    trainer = _trainer(config, out, args.quiet)
    out.mkdir(parents=True, exist_ok=True)
    if not args.out:
        trainer.out = _new_directory(out, config)
    owned.enter_context(run_directory.lock(trainer.out))
    trainer.start()
    return trainer


def _resumed(args: Namespace, owned: contextlib.ExitStack) -> Trainer:
    from teenygpt_np import run_directory

    out = Path(args.resume)
    changed = [*_changes(args), *(["preset"] if args.preset != "small" else [])]
    if changed or args.out:
        name = (changed or ["out"])[0].replace("_", "-")
        name = {"columns": "column", "ignore-pads": "pads"}.get(name, name)
        raise InputError(
            f"--{name} can't be changed by --resume, which goes on with {out} as it is"
        )
    run_directory.check_files(out)
    path = out / run_directory.CONFIG
    try:
        with path.open(encoding="utf-8") as file:
            description = json.loads(file.read(_MAX_CONFIG))
        config, tokenizer = run_directory.described(description)
    except FileNotFoundError:
        raise InputError(f"{out} has no config.json; wanted a run directory") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} can't be used: {error}") from error
    owned.enter_context(run_directory.lock(out))
    # Without these it was killed before it had anything to save.
    begun = any(
        (out / name).exists()
        for name in (run_directory.LAST, run_directory.BEST, run_directory.METRICS)
    )
    saved = run_directory.load_last(out, config, tokenizer) if begun else None
    trainer = _trainer(config, out, args.quiet, tokenizer)
    if saved:
        trainer.restore(*saved)
    else:
        trainer.check_corpus(description, path)
    if trainer.finished and (out / run_directory.REPORT).exists():
        raise InputError(f"{out} is finished, after {trainer.epoch} epochs; nothing to resume")
    return trainer


def _trainer(config: Config, out: Path, quiet: bool, tokenizer: Tokenizer | None = None) -> Trainer:
    from teenygpt_np.run_directory import load_own_corpus
    from teenygpt_np.training.console import Progress
    from teenygpt_np.training.loop import Trainer

    return Trainer(config, load_own_corpus(config, tokenizer), out, Progress(quiet=quiet))


def _new_directory(parent: Path, config: Config) -> Path:
    """The first that is not there; made at once, so that it is nobody else's."""
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


def _stop_on_signals(trainer: Trainer) -> None:
    """The first of these signals lets the step end and saves; a second one ends at once."""
    names = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    heeded = [s for s in names if s is not None and signal.getsignal(s) != signal.SIG_IGN]

    def stop(number: int, frame: object) -> None:
        trainer.stop_signal = number
        for name in heeded:
            signal.signal(name, signal.SIG_DFL)

    for name in heeded:
        signal.signal(name, stop)


if __name__ == "__main__":
    run_command("teenygpt_np.train", main)
