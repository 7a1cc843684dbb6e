"""`python -m teenygpt_np.tokenizer RUN`: write a run's subwords as the `tokenizer.json` of HF."""

from __future__ import annotations

from teenygpt_np.cli import Parser, path, run_command, set_up
from teenygpt_np.errors import InputError


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.tokenizer", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--to", type=path, metavar="FILE", help="file to write (default: RUN/tokenizer.json)"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, write; 0."""
    args = _parser().parse_args(arguments)
    set_up(None)

    from teenygpt_np.checkpoint import write_text
    from teenygpt_np.run_directory import check_files, check_not_own, load_run
    from teenygpt_np.text.bpe import BpeTokenizer
    from teenygpt_np.text.tokenizer_json import to_json

    check_files(args.run)
    tokenizer = load_run(args.run).tokenizer
    if not isinstance(tokenizer, BpeTokenizer):
        raise InputError(
            f"{args.run} has the tokenizer {tokenizer.kind}; wanted a run with --tokenizer=bpe"
        )
    out = args.to or args.run / "tokenizer.json"
    if not out.parent.is_dir() or (out.exists() and not out.is_file()):
        raise InputError(f"--to is {out}, wanted a file in an existing directory")
    check_not_own(out)
    write_text(out, to_json(tokenizer))
    print(f"{tokenizer}: {out}")
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.tokenizer", main)
