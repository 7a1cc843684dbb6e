"""What pre-training is worth to a classifier: accuracy with few labels and with all.

    python benchmarks/pretraining.py DIR --text headline --label label

DIR has train, val and test tables, such as train.csv, with a column of texts and one of labels. A
model is trained on the texts of train without their labels, for each objective; then a head is
trained on it, and on a model from scratch, with the first N labels of train. Each row is the
accuracy on the test table by objective: the median of the seeds, least and most. Models have the
preset tiny, and one thread each.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import tempfile
from pathlib import Path

from teenygpt_np import finetune, train

BEGINNINGS = ("scratch", "next", "masked", "joint")
EPOCHS = {"scratch": 0, "next": 3, "masked": 6, "joint": 3}
FEW_STEPS = 200  # at least so many for a head, however few labels there are


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table by the names of its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def accuracy(folder: Path, begin: Path | None, columns: list[str], labels: int, seed: int) -> float:
    """Of a head on a base, or from scratch, on the test table of a folder."""
    out = folder / "run"
    epochs = max(3, -(-FEW_STEPS * 32 // labels))
    flags = ["--data", str(folder), *columns, "--out", str(out), "--quiet", "--threads=1"]
    flags += [f"--epochs={epochs}", f"--seed={seed}", "--patience=99", "--batch-size=32"]
    scratch = ["--preset=tiny", "--lr=0.002"]
    done = (
        train.main([*flags, *scratch])
        if begin is None
        else finetune.main([str(begin), *flags, "--lr=0.002"])
    )
    if done:
        raise SystemExit(done)
    found: float = json.loads((out / "test.json").read_text("utf-8"))["test_accuracy"]
    return found


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--text", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 1000, 0], help="0: all")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    rows = read(args.directory / "train.csv")
    columns = ["--column", args.text, "--label", args.label]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for split in ("train", "val", "test"):
            texts = read(args.directory / f"{split}.csv")
            lines = "".join(f"{' '.join(row[args.text].split())}\n" for row in texts)
            (work / f"{split}.txt").write_text(lines, "utf-8")
        bases: dict[str, Path | None] = {"scratch": None}
        for objective in BEGINNINGS[1:]:
            flags = ["--preset=tiny", "--alphabet=corpus", f"--objective={objective}", "--quiet"]
            flags += ["--data", str(work), "--threads=1", f"--epochs={EPOCHS[objective]}"]
            if train.main([*flags, "--out", str(work / objective)]):
                raise SystemExit(1)
            bases[objective] = work / objective
        print(f"| labels | {' | '.join(BEGINNINGS)} |\n|{' --- |' * (1 + len(BEGINNINGS))}")
        for count in args.labels:
            cells = []
            for begin in BEGINNINGS:
                found = []
                for seed in range(args.seeds):
                    with tempfile.TemporaryDirectory() as one:
                        folder = Path(one)
                        write(folder / "train.csv", rows[: count or len(rows)])
                        for split in ("val", "test"):
                            write(folder / f"{split}.csv", read(args.directory / f"{split}.csv"))
                        found.append(
                            accuracy(folder, bases[begin], columns, count or len(rows), seed)
                        )
                        print(count, begin, found[-1], file=sys.stderr, flush=True)
                cells.append(
                    f"{statistics.median(found):.1%} ({min(found):.1%} to {max(found):.1%})"
                )
            print(f"| {count or len(rows):,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
