"""Lines with a label each: read from the columns of a table, cleaned, and in three splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import with_ends
from teenygpt_np.text.files import FORMATS, SPLITS, FileTexts
from teenygpt_np.text.headlines import MIN_LINES, first_of_each, in_turn
from teenygpt_np.text.report import Report
from teenygpt_np.text.saved import Sink
from teenygpt_np.text.tokenizer import Tokenizer
from teenygpt_np.text.tuples import Tuples

MOST_CLASSES = 1000
_SUFFIXES = [suffix for format in FORMATS if format.columns for suffix in format.suffixes]


@dataclass(frozen=True, eq=False)
class Labelled(Tuples):
    """A text in each row, and the number of its label in `classes`, as numbers['label']."""

    classes: tuple[str, ...] = ()
    unit, measure = "text", "texts"

    def texts(self) -> list[str]:
        """The text of each row."""
        return self.part(0).texts()


def read_labels(
    source: Path, columns: Sequence[str], encoding: str, split_on: str, notes: list[str]
) -> tuple[dict[str, Iterable[str | None]], list[str]]:
    """The texts and labels of a directory's tables, or of a table as the split "all".

    columns: the one with the text, then the one with the label
    -> text, label, text, label and so on of each split; the columns

    Raises InputError for anything else.
    """
    if len(columns) != 2:
        raise InputError(
            f"--column is given {max(len(columns) - 1, 0)} times, wanted once with --label: for "
            "the text"
        )
    paths = {"all": source}
    if source.is_dir():
        paths = {name: _table(source, name) for name in SPLITS}
    found = list(columns)
    return {name: FileTexts(p, found, encoding, notes) for name, p in paths.items()}, found


def _table(directory: Path, name: str) -> Path:
    for suffix in _SUFFIXES:
        if (path := directory / f"{name}{suffix}").is_file():
            return path
    raise InputError(
        f"{directory} has no table {name}.csv, .tsv, .jsonl or .parquet; wanted one each for "
        f"{', '.join(SPLITS)}, or a table, which is split 80/10/10"
    )


def splits(
    source: str,
    texts: Mapping[str, Iterable[str | None]],
    tokenizer: Tokenizer,
    report: Report,
    sink: Sink,
    seed: int,
) -> dict[str, Labelled]:
    """The texts of 'train', 'val' and 'test' with their labels; or those of 'all', split.

    The classes are the labels in 'train', sorted. Raises InputError for an empty split, a single
    class, and a label that is in another split only.
    """
    found = {name: _encoded(rows, tokenizer, report, sink) for name, rows in texts.items()}
    report.check_read(source)
    if "all" in found:
        found = _divided(source, found["all"], report, seed)
    classes = sorted(set(found["train"].labels))
    if len(classes) < 2 or len(classes) > MOST_CLASSES:
        told = f"the one label {classes[0]!r}" if len(classes) == 1 else f"{len(classes):,} labels"
        raise InputError(f"the training split of {source} has {told}, wanted 2..{MOST_CLASSES:,}")
    numbers = {label: number for number, label in enumerate(classes)}
    made = {}
    for name, rows in found.items():
        if not len(rows.labels):
            raise InputError(f"the {name} split of {source} has no texts, wanted at least one")
        if unknown := [label for label in rows.labels if label not in numbers]:
            raise InputError(
                f"the {name} split of {source} has the label {unknown[0]!r}, and none of the "
                "training split has it"
            )
        of_rows = np.array([numbers[label] for label in rows.labels], np.uint16)
        split = dataclasses.replace(rows.texts, numbers={"label": of_rows}, classes=tuple(classes))
        made[name] = split
    report.count_shared(rows.hashes for rows in found.values())
    return made


def whole(
    source: str, texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> Labelled:
    """All texts with a label, in their order. Raises InputError if there are none.

    The classes are the labels there are, sorted: those of a model may be others, or more.
    """
    rows = _encoded(texts, tokenizer, report, sink)
    report.check_read(source)
    if not rows.labels:
        raise InputError(f"{source} has no text with a label: nothing left of {report}")
    classes, numbers = np.unique(rows.labels, return_inverse=True)
    label = numbers.astype(np.uint16)
    return dataclasses.replace(
        rows.texts, numbers={"label": label}, classes=tuple(classes.tolist())
    )


@dataclass(frozen=True)
class _Rows:
    """Texts, with a hash and a label of each."""

    texts: Labelled
    hashes: np.ndarray[tuple[int], np.dtype[np.int64]]
    labels: list[str]

    def select(self, which: np.ndarray[tuple[int], np.dtype[np.int64]]) -> _Rows:
        labels = [self.labels[i] for i in which.tolist()]
        return _Rows(self.texts.select(which), self.hashes[which], labels)


def _encoded(
    texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> _Rows:
    lengths, hashes, labels = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)], list[str]()
    for some in in_turn(texts, 2):
        rows = list(zip(some[::2], some[1::2], strict=True))
        given = [(t, label.strip()) for t, label in rows if t is not None and label is not None]
        if odd := [label for _, label in given if not label.isprintable()]:
            raise InputError(f"a label is {odd[0]!r}, wanted printable characters only")
        folded, took = tokenizer.fold_lines([text for text, _ in given])
        kept = [(t, g[1]) for t, g in zip(folded, given, strict=True) if t and g[1]]
        report.count(len(rows), len(given), len(kept), took)
        ids, of_each = with_ends([text for text, _ in kept], tokenizer)
        sink.append(ids)
        lengths.append(of_each.astype(np.uint32))
        hashes.append(np.fromiter((hash(text) for text, _ in kept), np.int64, len(kept)))
        labels += [label for _, label in kept]
    made = Labelled.of_ids(sink.taken(), np.concatenate(lengths), 1, tokenizer)
    return _Rows(made, np.concatenate(hashes), labels)


def _divided(source: str, rows: _Rows, report: Report, seed: int) -> dict[str, _Rows]:
    """Each distinct text once, with the label that it has first."""
    distinct = first_of_each(rows.hashes).astype(np.int64)
    report.duplicates = len(rows.labels) - len(distinct)
    if len(distinct) < MIN_LINES:
        raise InputError(
            f"{source} has {len(distinct)} distinct texts with a label, wanted at least {MIN_LINES}"
        )
    np.random.default_rng(seed).shuffle(distinct)
    tenth = len(distinct) // 10
    which = np.split(distinct, [-2 * tenth, -tenth])
    return {name: rows.select(w) for name, w in zip(SPLITS, which, strict=True)}
