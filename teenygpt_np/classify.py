"""`python -m teenygpt_np.classify RUN [FILE]`: the label of each line, and its probability."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from teenygpt_np.cli import Parser, add_threads, path, run_command, set_up
from teenygpt_np.errors import InputError
from teenygpt_np.text.files import FileTexts
from teenygpt_np.text.reading import STDIN, check_encoding

_BATCH = 64


def _parser() -> Parser:
    parser = Parser(prog="teenygpt_np.classify", description=__doc__)
    parser.add_argument("run", type=path, metavar="RUN", help="a run that was trained with --label")
    parser.add_argument(
        "file",
        type=path,
        nargs="?",
        default=STDIN,
        metavar="FILE",
        help="the lines, in a file of any format that train reads (default: standard input)",
    )
    parser.add_argument("--column", metavar="NAME", help="the column with the text, in a table")
    parser.add_argument(
        "--encoding", default="utf-8", metavar="NAME", help="encoding of the file (default: utf-8)"
    )
    parser.add_argument(
        "--all", action="store_true", help="print the probabilities of all classes, as columns"
    )
    add_threads(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, load, label, print; 0."""
    args = _parser().parse_args(arguments)
    check_encoding(args.encoding, "--encoding")
    set_up(args.threads)

    import numpy as np

    import minigrad as mg
    from teenygpt_np.model.classifier import Classifier
    from teenygpt_np.run_directory import load_run
    from teenygpt_np.text.batches import Rows

    run = load_run(args.run)
    if not isinstance(run.model, Classifier):
        raise InputError(f"{args.run} tells no labels; wanted a run that was trained with --label")
    columns, notes = [args.column] if args.column else [], list[str]()
    texts = iter(FileTexts(Path(args.file), columns, args.encoding, notes))
    classes = run.config.classes
    if args.all:
        print("\t".join([*classes, "text"]))
    while given := list(itertools.islice(texts, _BATCH)):
        lines = [text or "" for text in given]
        folded = [run.tokenizer.fold(line).text for line in lines]
        rows = Rows.of(folded, run.tokenizer, run.model.body.num_tokens)  # as in training
        with mg.no_grad():
            p = np.exp(run.model.log_probs(rows.batch(rows.in_order).ids, rows.lengths).data)
        for line, row in zip(lines, p, strict=True):
            told = row if args.all else [row.max()]
            label = [] if args.all else [classes[row.argmax()]]
            # In a table a text may have line ends, which would make it several.
            shown = "".join(c if c.isprintable() else " " for c in line)
            print("\t".join([*label, *(f"{x:.4f}" for x in told), shown]), flush=True)
    for note in notes:
        print(note, file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_command("teenygpt_np.classify", main)
