"""`python -m teenygpt_np.sample RUN`: print what a trained model writes."""

from __future__ import annotations

import argparse
import re

from teenygpt_np.cli import Parser, as_flag, path, run_command, set_up
from teenygpt_np.errors import InputError
from teenygpt_np.interactive import Settings, Talk
from teenygpt_np.ranks import ranks

_MOST = 1_000_000
_BETWEEN = "-" * 20  # two running texts


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.sample", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "-n",
        type=int,
        metavar="N",
        help="how many (default: 10 lines, 1 running text or 1 target)",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="X",
        help="below 1 favours likely tokens, 0 takes the likeliest (default: 0.8, or 0 for a model "
        "that writes targets from sources)",
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
    parser.add_argument(
        "--prompt",
        metavar="TEXT",
        help="beginning of every text; for a model that learned to fill in masked tokens a text in "
        "which each _ is a token to fill in, such as 'mayor ____s bridge'; for one that learned "
        "from pairs a source",
    )
    parser.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="tokens of a text, at most (default: 500 of running text; a line as many as a row "
        "has in training, and more only for models without positions)",
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
    if args.interactive and ranks().count > 1:
        raise InputError(f"--interactive is for one process, not {ranks().count}")
    set_up(args.threads)

    from teenygpt_np.run_directory import load_run
    from teenygpt_np.writing import writer_of

    writer = writer_of(load_run(args.run))
    if args.length is not None and not writer.has_length:
        raise InputError(f"--length can't be given: a prompt of {args.run} is {writer.line}")
    length = writer.usual_length if args.length is None else args.length
    temperature = writer.usual_temperature if args.temperature is None else args.temperature
    settings = Settings(temperature, args.top_k, args.top_p, args.seed, length)

    def check(settings: Settings) -> None:
        _check(settings, writer.longest)

    try:
        check(settings)
    except InputError as error:  # it names settings, but the user knows their flags
        names = rf"\b({'|'.join(vars(settings))})\b"
        raise InputError(re.sub(names, lambda name: as_flag(name[0]), str(error))) from None
    if args.interactive:
        Talk(settings, writer.pieces, check, writer.line).run()
        return 0
    number = args.n or writer.usual_number
    for i, text in enumerate(writer.texts(args.prompt or "", settings, number, ranks())):
        if i and writer.running:
            print(_BETWEEN)
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


if __name__ == "__main__":
    run_command("teenygpt_np.sample", main, shared_out=True)
