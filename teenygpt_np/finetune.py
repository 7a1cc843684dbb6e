"""`python -m teenygpt_np.finetune RUN --data FILE`: go on training a model, with other text."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from argparse import Namespace
from typing import Any

from teenygpt_np.cli import (
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
from teenygpt_np.config import SETTINGS, Config, check_given
from teenygpt_np.errors import InputError
from teenygpt_np.text.reading import STDIN

_SLOWER = 4  # times lower a learning rate, so that the first steps do not destroy what was learned
# So many times lower again for preferences, which ask for a difference whatever else it costs: with
# RUN's lr / 4 and beta 0.1, 50 steps of 31 preferences took a model (tiny, bundled headlines) from
# 40 nats a headline to 174.
_SLOWER_BY_PREFERENCES = 10
_EPOCHS = 3
_DEFAULTS = {
    "lr": f"that of RUN / {_SLOWER}, or with --lora-rank and --train-only that of RUN; with "
    f"--preferences / {_SLOWER_BY_PREFERENCES} again",
    "epochs": str(_EPOCHS),
    "shards": "the number of processes",
}


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.finetune", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="the directory of a finished run")
    add_text(parser)
    parser.add_argument(
        "--preferences",
        type=path,
        metavar="FILE",
        help="learn which of two answers is preferred (DPO): a .jsonl with the texts prompt, which "
        "may be '', chosen and rejected on each line; split 80/10/10",
    )
    parser.add_argument("--out", type=path, metavar="DIR", help="a new directory for the run")
    names = [name for name, setting in SETTINGS.items() if setting.of != "model"]
    said = {name: "that of RUN" for name in names if SETTINGS[name].of == "training"}
    add_settings(parser, names, said | _DEFAULTS)
    add_threads(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load the run, train; 0 at the end, 128 + the number of a signal that stopped it."""
    args = _parser().parse_args(arguments)
    take_text(args)
    set_up(args.threads)
    keep_freed_memory()
    from teenygpt_np.inspector.page import write_report
    from teenygpt_np.run_directory import check_files, load_run, weights_hash
    from teenygpt_np.starting import begun, changes, named_as_flags

    check_files(args.run)
    base = load_run(args.run)
    if args.preferences is not None:
        _check_preferences(args, base.config)
        args.data = args.preferences

    if args.label is not None and base.config.objective == "pairs":
        raise InputError(
            f"--label is for a model of single texts, and {args.run} has learned pairs"
        )

    def config() -> Config:
        """The run's own settings, but for what is given, and what belongs to its text."""
        given = changes(args)
        frozen = given.get("lora_rank", 0) or given.get("train_only", "all") != "all"
        settings: dict[str, Any] = {
            "data": "",
            "more_data": (),
            "columns": (),
            "epochs": _EPOCHS,
            "max_steps": 0,
        }
        settings |= {name: s.before for name, s in SETTINGS.items() if s.of == "fine-tuning"}
        if base.config.objective == "preferences" and args.preferences is None:
            # Its model writes texts: it goes on with such as its first base had.
            settings["text"] = "running" if base.tokenizer.running else "lines"
            settings["objective"] = base.config.base_objective
        settings["lr"] = base.config.lr / (1 if frozen else _SLOWER)
        if args.preferences is not None:
            settings["lr"] /= _SLOWER_BY_PREFERENCES
        tuned = dataclasses.replace(
            base.config,
            **settings | given,
            base=os.path.abspath(args.run),
            base_hash=weights_hash(base.model.merged_state()),
            base_objective=base.config.learned,
        )
        check_given(tuned, given)
        return tuned

    with contextlib.ExitStack() as owned:  # holds the run directory's lock to the end
        trainer, out = begun(args, named_as_flags(config), owned, base.tokenizer)
        stopped_by = trainer.run(out, write_report)
    return 128 + stopped_by if stopped_by else 0


def _check_preferences(args: Namespace, base: Config) -> None:
    """Raise InputError for what preferences cannot be learned with."""
    for name in ("data", "label", "columns"):
        if getattr(args, name) is not None:
            raise InputError(
                f"{as_flag(name)} can't be given with --preferences, which says what the text is"
            )
    if args.preferences == STDIN:
        raise InputError("--preferences is -, wanted a .jsonl file")
    if base.objective not in ("next", "joint", "preferences"):
        raise InputError(
            f"--preferences is for a model that writes texts, and {args.run} has learned "
            f"{base.objective}"
        )


if __name__ == "__main__":
    run_command("teenygpt_np.finetune", main, shared_out=True)
