"""What an encoder-decoder learns from pairs: how many targets it writes exactly, beside copying.

    python benchmarks/pairs.py --json FILE -- DIR [FLAGS]

DIR has train.tsv, val.tsv and test.tsv, a source, a tab and its target on each line. The training
is a whole `python -m teenygpt_np.train --pairs DIR --preset tiny FLAGS`; then the targets of all
test pairs are written, the likeliest token at each place. Minutes are those of the processor.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import time
from pathlib import Path

import sides


def train_and_write(data: str, flags: list[str]) -> list[sides.Row]:
    """Rows of the model, and of taking the source for the target.    flags: of the training"""
    from teenygpt_np import evaluate, train

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        own = ["--pairs", data, "--preset", "tiny", "--quiet", "--out", str(out)]
        start = time.process_time()
        if train.main([*own, "--threads", os.environ["OMP_NUM_THREADS"], *flags]):
            raise SystemExit(1)
        minutes = (time.process_time() - start) / 60
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if evaluate.main([str(out), "--eval-tokens", "0", "--json"]):
                raise SystemExit(1)
    found = json.loads(printed.getvalue())
    written_by = {"encoder-decoder": found["model"], "the source as it is": found["copy"]}
    return [
        {
            "target": who,
            "exact": f"{scores['exact_match']:.1%}",
            "edits a character": scores["edits"],
            "nats a target": scores.get("target_nats"),
            "pairs": found["lines"],
            "core minutes": minutes if scores is found["model"] else None,
        }
        for who, scores in written_by.items()
    ]


def main() -> None:
    """Print a table in Markdown, named for the pairs."""
    args = sides.arguments(__doc__, rounds=1, others="DIR [FLAGS], behind --")
    data, *flags = args.others
    flags += ["--max-steps", "1"] if args.short else []
    name = Path(data).name
    found, _ = sides.alternate(name, {"training": (train_and_write, data, flags)}, 1)
    sides.report(args, **{f"pairs_{name}": found["training"][0]})


if __name__ == "__main__":
    main()
