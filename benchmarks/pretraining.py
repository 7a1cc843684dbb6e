"""What pre-training is worth to a classifier: accuracy with few labels and with all.

    python benchmarks/pretraining.py --json FILE -- DIR TEXT LABEL

DIR has train.csv, val.csv and test.csv, with a column TEXT and a column LABEL. A model is trained
on the texts of train without their labels, once for each objective; then a head and all below it on
the first labels of train, with each of these beginnings and from scratch, and a quarter as many of
val. Cells are the accuracy on the test table: the median of the rounds, each with another seed,
least and most. Models have the preset tiny.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import sides

BEGINNINGS = {"scratch": 0, "next": 3, "masked": 6, "joint": 3}  # and epochs of pre-training
LABELS = {"100": 100, "1,000": 1000, "all": None}
FEW_STEPS = 200  # at least so many for a head, however few labels there are
BATCH = 32
SPLITS = ("train", "val", "test")


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


def pretrain(texts: Path, out: Path, objective: str, flags: list[str]) -> None:
    """Train a model on texts without labels."""
    from teenygpt_np import train

    own = ["--preset=tiny", "--alphabet=corpus", f"--objective={objective}", f"--data={texts}"]
    own += [f"--epochs={BEGINNINGS[objective]}", f"--out={out}", f"--threads={_threads()}"]
    if train.main([*own, "--quiet", *flags]):
        raise SystemExit(1)


def accuracy(table: Path, base: Path | None, columns: list[str], flags: list[str]) -> float:
    """On the test table, of a head that learned from the train table, on a base or from scratch."""
    from teenygpt_np import finetune, train

    epochs = max(3, -(-FEW_STEPS * BATCH // len(read(table / "train.csv"))))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        own = [f"--data={table}", *columns, f"--out={out}", "--quiet", f"--threads={_threads()}"]
        own += [f"--epochs={epochs}", f"--batch-size={BATCH}", "--patience=99", "--lr=0.002"]
        command = finetune.main if base else train.main
        if command([str(base) if base else "--preset=tiny", *own, *flags]):
            raise SystemExit(1)
        found: float = json.loads((out / "test.json").read_text("utf-8"))["test_accuracy"]
    return found


def _threads() -> str:
    return os.environ["OMP_NUM_THREADS"]


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=3, others="DIR TEXT LABEL, behind --")
    directory, text, label, *flags = args.others
    flags += ["--max-steps=1"] if args.short else []
    rows = {name: read(Path(directory) / f"{name}.csv") for name in SPLITS}
    with tempfile.TemporaryDirectory() as name:
        texts = Path(name) / "texts"
        texts.mkdir()
        for split, table in rows.items():
            lines = "".join(f"{' '.join(row[text].split())}\n" for row in table)
            (texts / f"{split}.txt").write_text(lines, "utf-8")
        bases: dict[str, Path | None] = {"scratch": None}
        for objective in [name for name, epochs in BEGINNINGS.items() if epochs]:
            bases[objective] = Path(name) / objective
            task = (pretrain, texts, bases[objective], objective, flags)
            sides.alternate("pre-training", {objective: task}, 1)
        found = []
        for count in list(LABELS)[:1] if args.short else LABELS:
            folder = Path(name) / count
            folder.mkdir()
            most = {
                "train": LABELS[count],
                "val": LABELS[count] and LABELS[count] // 4,
                "test": None,
            }
            for split, table in rows.items():
                write(folder / f"{split}.csv", table[: most[split]])
            row: sides.Row = {"labels": f"{len(read(folder / 'train.csv')):,}"}
            for begin, base in bases.items():
                columns = [f"--column={text}", f"--label={label}"]
                shares = [
                    sides.alternate(f"{count} labels", {begin: task}, 1)[0][begin][0]
                    for seed in range(args.rounds)
                    for task in [(accuracy, folder, base, columns, [f"--seed={seed}", *flags])]
                ]
                least, most = min(shares), max(shares)
                row[begin] = f"{statistics.median(shares):.1%} ({least:.1%} to {most:.1%})"
            found.append(row)
            print(row, file=sys.stderr, flush=True)  # should a later one fail
    sides.report(args, pretraining=found)


if __name__ == "__main__":
    main()
