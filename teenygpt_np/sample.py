"""`python -m teenygpt_np.sample RUN`: print what a trained model writes."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from teenygpt_np.cli import Parser, as_flag, path, run_command, set_up
from teenygpt_np.errors import InputError
from teenygpt_np.interactive import Settings, Talk

if TYPE_CHECKING:
    from teenygpt_np.run_directory import TrainedRun

_BATCH = 64
_MOST = 1_000_000
_LONGEST = 100_000
_BETWEEN = "-" * 20  # two running texts


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.sample", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "-n", type=int, metavar="N", help="how many (default: 10 lines, or 1 running text)"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        metavar="X",
        help="below 1 favours likely tokens, 0 takes the likeliest (default: 0.8)",
    )
    parser.add_argument(
        "--top-k", type=int, metavar="K", help="draw from the K likeliest tokens only"
    )
    parser.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="draw from the likeliest tokens only: the fewest whose probabilities reach P together",
    )
    parser.add_argument("--prompt", metavar="TEXT", help="beginning of every text")
    parser.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="tokens of a text, at most (default: 500 of running text; a line as many as a row "
        "has in training, and more only for models without learned positions)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        metavar="N",
        help="seed of the random numbers (default: other texts each time)",
    )
    parser.add_argument(
        "--interactive",
        action="store_true",
        help="type beginnings, and see each continued as it is written; :help tells what else",
    )
    parser.add_argument("--threads", type=int, metavar="N", help=argparse.SUPPRESS)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, print; 0."""
    args = _parser().parse_args(arguments)
    refused = [name for name in ("-n", "--prompt") if getattr(args, name.strip("-")) is not None]
    if args.interactive and refused:
        raise InputError(
            f"{refused[0]} can't be given with --interactive, where each line is a prompt"
        )
    if args.n is not None and not 1 <= args.n <= _MOST:
        raise InputError(f"-n is {args.n}, wanted 1..{_MOST:,}")
    set_up(args.threads)

    import numpy as np

    from teenygpt_np.run_directory import load_run
    from teenygpt_np.training.objectives.next_token import LENGTH

    run = load_run(args.run)
    running = run.tokenizer.running
    number = args.n or (1 if running else 10)
    # Only a model of running text can read on from the middle of one.
    longest = _LONGEST if running else min(_LONGEST, run.model.most_tokens - 1)
    length = args.length
    if length is None:
        length = LENGTH if running else run.model.num_tokens - 1
    settings = Settings(args.temperature, args.top_k, args.top_p, args.seed, length)

    def check(settings: Settings) -> None:
        _check(settings, longest)

    try:
        check(settings)
    except InputError as error:  # it names settings, but the user knows their flags
        names = rf"\b({'|'.join(vars(settings))})\b"
        raise InputError(re.sub(names, lambda name: as_flag(name[0]), str(error))) from None
    if args.interactive:
        Talk(settings, partial(_written, run), check).run()
        return 0
    prompt = _encoded(run, args.prompt or "", length)
    rng = np.random.default_rng(args.seed)
    for start in range(0, number, _BATCH):
        ids = run.model.sample(
            min(_BATCH, number - start), **_choice(run, settings), prompt=prompt, rng=rng
        )
        for i, row in enumerate(ids, start):
            if i and running:
                print(_BETWEEN)
            text = run.tokenizer.decode(row)
            print(text if args.prompt else text.removeprefix("\n"), flush=True)
    return 0


def _check(settings: Settings, most: float) -> None:
    from teenygpt_np.sampling import check_settings

    try:
        check_settings(settings.temperature, settings.top_k, settings.top_p)
    except ValueError as error:
        raise InputError(str(error)) from None
    if settings.seed is not None and settings.seed < 0:
        raise InputError(f"seed is {settings.seed}, wanted 0 or above")
    if not 1 <= settings.length <= most:
        raise InputError(f"length is {settings.length}, wanted 1..{most:,}")


def _choice(run: TrainedRun, settings: Settings) -> dict[str, Any]:
    """What `TeenyGPT.sample` is given for these settings."""
    return {
        "temperature": settings.temperature,
        "top_k": settings.top_k,
        "top_p": settings.top_p,
        "end": run.tokenizer.end,
        "length": settings.length + 1,
    }


def _encoded(run: TrainedRun, beginning: str, length: int) -> list[int]:
    """The ids of a text's beginning; what the model does not know of it is told."""
    folded = run.tokenizer.fold(beginning)
    unknown = list(folded.replaced)
    if not folded.gap and any(map(str.isspace, beginning)):
        unknown.append("spaces")
    if unknown:
        became = "read as spaces" if folded.gap else "left out"
        print(
            f"{became}, because the model does not know them: {' '.join(unknown)}", file=sys.stderr
        )
    # Folding removes spaces at the ends, but a space at the prompt's end asks for a new word.
    prompt = run.tokenizer.encode_prompt(folded.text + folded.gap * beginning.endswith(" "))
    if len(prompt) > length:
        raise InputError(
            f"the prompt has {len(prompt) - 1} characters, wanted at most {length - 1}, so that "
            "one can follow"
        )
    ids: list[int] = prompt.tolist()
    return ids


def _written(run: TrainedRun, beginning: str, settings: Settings) -> Generator[str, None, None]:
    """A text with this beginning, in pieces, as it is written; the same as that of `-n 1`."""
    import numpy as np

    prompt = _encoded(run, beginning, settings.length)
    drawn = run.model.stream(
        **_choice(run, settings), prompt=prompt, rng=np.random.default_rng(settings.seed)
    )
    pending: list[int] = []
    for ids in itertools.chain([prompt], (column.tolist() for column in drawn)):
        pending += ids
        text = run.tokenizer.decode(pending)
        if not text.endswith("\ufffd"):  # or a character still lacks some of its bytes
            yield text
            pending = []
    yield run.tokenizer.decode(pending) if pending else ""


if __name__ == "__main__":
    run_command("teenygpt_np.sample", main)
