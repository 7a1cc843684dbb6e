"""`python -m teenygpt_np.sample RUN`: print headlines that a trained model writes, one per line."""

from __future__ import annotations

import argparse
import re
import sys

from teenygpt_np.cli import Parser, as_flag, path, run_command, set_up
from teenygpt_np.errors import InputError

_BATCH = 64
_MOST = 1_000_000
_LONGEST = 100_000


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.sample", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "-n", type=int, default=10, metavar="N", help="how many headlines (default: 10)"
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
    parser.add_argument("--prompt", default="", metavar="TEXT", help="beginning of every headline")
    parser.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="characters of a headline, at most (default: as many as a row has in training; more "
        "only for models without learned positions)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        metavar="N",
        help="seed of the random numbers (default: other headlines each time)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help=argparse.SUPPRESS)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, print; 0."""
    args = _parser().parse_args(arguments)
    if not 1 <= args.n <= _MOST:
        raise InputError(f"-n is {args.n}, wanted 1..{_MOST:,}")
    if args.seed is not None and args.seed < 0:
        raise InputError(f"--seed is {args.seed}, wanted 0 or above")
    set_up(args.threads)

    import numpy as np

    from teenygpt_np.run_directory import load_run
    from teenygpt_np.sampling import check_settings

    try:
        check_settings(args.temperature, args.top_k, args.top_p)
    except ValueError as error:  # it names settings, but the user knows their flags
        names = r"\btemperature\b|\btop_[kp]\b"
        raise InputError(re.sub(names, lambda name: as_flag(name[0]), str(error))) from None
    run = load_run(args.run)
    folded = run.tokenizer.fold(args.prompt)
    unknown = list(folded.replaced)
    if not folded.gap and any(map(str.isspace, args.prompt)):
        unknown.append("spaces")
    if unknown:
        became = "read as spaces" if folded.gap else "left out"
        print(
            f"{became}, because the model does not know them: {' '.join(unknown)}", file=sys.stderr
        )
    # Folding removes spaces at the ends, but a space at the prompt's end asks for a new word.
    prompt = run.tokenizer.encode_prompt(folded.text + folded.gap * args.prompt.endswith(" "))
    length = run.model.num_tokens - 1 if args.length is None else args.length
    most = min(_LONGEST, run.model.most_tokens - 1)
    if not 1 <= length <= most:
        raise InputError(f"--length is {length}, wanted 1..{most:,}")
    if len(prompt) > length:
        raise InputError(
            f"the prompt has {len(prompt) - 1} characters, wanted at most {length - 1}, so that "
            "one can follow"
        )
    rng = np.random.default_rng(args.seed)
    for start in range(0, args.n, _BATCH):
        ids = run.model.sample(
            min(_BATCH, args.n - start),
            args.temperature,
            top_k=args.top_k,
            top_p=args.top_p,
            prompt=prompt.tolist(),
            end=run.tokenizer.end,
            length=length + 1,
            rng=rng,
        )
        for row in ids:
            print(run.tokenizer.decode(row), flush=True)
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.sample", main)
