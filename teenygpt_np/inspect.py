"""`python -m teenygpt_np.inspect RUN`: a page that shows a trained model's backpropagation."""

from __future__ import annotations

import sys
import webbrowser

from teenygpt_np.cli import Parser, add_threads, path, run_command, set_up
from teenygpt_np.errors import InputError


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.inspect", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--text",
        metavar="TEXT",
        help="text to inspect: with [brackets] around what an encoder fills in; with a tab before "
        "the target of a source or the class of a text (default: one of the run's samples)",
    )
    parser.add_argument(
        "--print",
        action="store_true",
        dest="listing",
        help="print the tape as text instead of writing a page",
    )
    parser.add_argument(
        "--out", type=path, metavar="FILE", help="file for the page (default: RUN/inspect.html)"
    )
    parser.add_argument(
        "--against", type=path, metavar="RUN2", help="a run to compare the training with"
    )
    parser.add_argument("--open", action="store_true", help="show the page in a browser")
    add_threads(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, trace, print or write the page; 0."""
    args = _parser().parse_args(arguments)
    set_up(args.threads)

    from teenygpt_np.checkpoint import write_text
    from teenygpt_np.inspector.listing import listing, size
    from teenygpt_np.inspector.page import inspection
    from teenygpt_np.inspector.sights import sight_of, usual_text
    from teenygpt_np.inspector.tape import trace
    from teenygpt_np.run_directory import check_files, check_not_own, load_run

    for directory in filter(None, (args.run, args.against)):
        check_files(directory)
    run = load_run(args.run)
    text = args.text if args.text is not None else usual_text(run, args.run)
    out = args.out or args.run / "inspect.html"
    if not out.parent.is_dir() or (out.exists() and not out.is_file()):
        raise InputError(f"--out is {out}, wanted a file in an existing directory")
    check_not_own(out)
    sight = sight_of(run, text)
    if sight.read != text:
        print(f"the model reads {sight.read!r}", file=sys.stderr)
    tape = trace(sight)
    if args.listing:
        for line in listing(tape):
            print(line)
        return 0
    page = inspection(tape, args.run, args.against)
    try:
        write_text(out.resolve(), page)  # write to a link's target, and keep the link
    except PermissionError as error:
        raise InputError(
            f"{out} can't be written: {error.strerror}; wanted --out with another file"
        ) from error
    print(f"{out}: {size(out.stat().st_size)}")
    if args.open:
        webbrowser.open(out.resolve().as_uri())
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.inspect", main)
