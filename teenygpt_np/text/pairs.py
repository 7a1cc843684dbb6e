"""Pairs of lines, a source and its target: read from tables, cleaned, and in three splits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import with_ends
from teenygpt_np.text.files import SPLITS, FileTexts, format_of
from teenygpt_np.text.headlines import MIN_LINES, Hashes, first_of_each, in_turn
from teenygpt_np.text.reading import lines_of, readable, shown
from teenygpt_np.text.report import Report
from teenygpt_np.text.saved import Sink
from teenygpt_np.text.tokenizer import Ids, Tokenizer
from teenygpt_np.text.tuples import Pairs, Tuples

_IN_LINES = (".tsv", ".txt")  # formats with a pair on each line; the others need --column
_WANTED = "a source, a tab and a target on each line"

Kind = TypeVar("Kind", bound=Tuples)


@dataclass(frozen=True)
class PairLines:
    """The source and the target of each line, in turn. Each time they are iterated, they are read.

    notes: gets a line for whatever was left out

    Raises InputError, with file and line, for a line that is not a source, a tab and a target, and
    for a file that cannot be read. A line without anything on it is a pair of empty texts.
    """

    path: Path
    encoding: str
    notes: list[str]

    def __iter__(self) -> Iterator[str | None]:
        suffix = format_of(self.path, self.encoding, self.notes).suffixes[0]
        if suffix not in _IN_LINES:
            raise InputError(
                f"the pairs in {self.path} need --column twice: for the source, then for the target"
            )
        lines = lines_of(self.path, self.encoding, self.notes)
        with contextlib.closing(lines), readable(self.path):
            for number, line in enumerate(lines, 1):
                pair = line.removesuffix("\n").split("\t") if line.strip(" \n") else ["", ""]
                if len(pair) != 2:
                    what = f"{len(pair) - 1} tabs" if len(pair) > 1 else "no tab"
                elif line.strip(" \n") and not all(map(str.strip, pair)):
                    what = f"no {'target' if pair[0].strip() else 'source'}"
                else:
                    yield from pair
                    continue
                raise InputError(f"{shown(self.path)}, line {number}: {what}, wanted {_WANTED}")


def read_pairs(
    source: Path, columns: Sequence[str], encoding: str, split_on: str, notes: list[str]
) -> tuple[dict[str, Iterable[str | None]], list[str]]:
    """The pairs of a directory's splits, or of a file as the split "all".    -> texts, columns

    source: a file with a pair on each line, or with the two columns; standard input; or a directory
    with train.tsv, val.tsv and test.tsv.    split_on: is for running text only

    The texts are source, target, source, target and so on. Raises InputError for anything else.
    """
    if columns and len(columns) != 2:
        raise InputError(
            f"--column is given {'once' if len(columns) == 1 else f'{len(columns)} times'}, wanted "
            "twice with pairs: for the source, then for the target"
        )
    paths = {"all": source}
    if source.is_dir():
        paths = {name: source / f"{name}.tsv" for name in SPLITS}
        if missing := [path.name for path in paths.values() if not path.is_file()]:
            raise InputError(
                f"{source} has no {', '.join(missing)}; wanted a directory with train.tsv, val.tsv "
                "and test.tsv, or a file of pairs"
            )
    found = list(columns)
    if found:
        return {name: FileTexts(p, found, encoding, notes) for name, p in paths.items()}, found
    return {name: PairLines(p, encoding, notes) for name, p in paths.items()}, found


def splits(
    source: str,
    texts: Mapping[str, Iterable[str | None]],
    tokenizer: Tokenizer,
    report: Report,
    sink: Sink,
    seed: int,
) -> dict[str, Pairs]:
    """The pairs of 'train', 'val' and 'test', cleaned; or those of 'all', in three such splits.

    Raises InputError for an empty split.
    """
    found = {name: _encoded(lines, tokenizer, report, sink) for name, lines in texts.items()}
    report.check_read(source)
    for name, (pairs, _) in found.items():
        if not len(pairs):
            where = source if name == "all" else f"{source}/{name}.tsv"
            others = "; --alphabet=corpus is for a text's own characters" if report.replaced else ""
            raise InputError(
                f"{where} has no pairs: {report.read:,} read, nothing left of them in {tokenizer}"
                f"{others}"
            )
    if "all" in found:
        return divided(source, *found["all"], report, seed, "source")
    report.count_shared(sources for _, (sources, _) in found.values())
    return {name: pairs for name, (pairs, _) in found.items()}


def whole(
    source: str, texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> Pairs:
    """All pairs in their order. Raises InputError if nothing is left of them."""
    pairs, _ = _encoded(texts, tokenizer, report, sink)
    report.check_read(source)
    if not len(pairs):
        raise InputError(f"{source} has no pairs: nothing left of {report.read:,} read")
    return pairs


def _encoded(
    texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> tuple[Pairs, Hashes]:
    """The pairs, without those that lack a text, and hashes of their sources and of them.

    -> pairs, hashes (2, N)
    """
    parts, hashes = [np.zeros(0, np.uint32)], [np.zeros((2, 0), np.int64)]
    for some in in_turn(texts, 2):
        rows = list(zip(some[::2], some[1::2], strict=True))
        given = [text for row in rows for text in row if None not in row and text is not None]
        lines, took = tokenizer.fold_lines(given)
        folded = list(zip(lines[::2], lines[1::2], strict=True))
        kept = [pair for pair in folded if all(pair)]
        report.count(len(rows), len(folded), len(kept), took)
        ids, of_each = with_ends([text for pair in kept for text in pair], tokenizer)
        sink.append(ids)
        parts.append(of_each.astype(np.uint32))
        of_pairs = [(hash(pair[0]), hash(pair)) for pair in kept]
        hashes.append(np.array(of_pairs, np.int64).reshape(-1, 2).T)
    pairs = Pairs.of_ids(sink.taken(), np.concatenate(parts), 2, tokenizer)
    return pairs, np.concatenate(hashes, axis=1)


def divided(
    source: str, pairs: Kind, hashes: Hashes, report: Report, seed: int, group: str
) -> dict[str, Kind]:
    """Each distinct row once, in three splits; all rows of one group are in the same split.

    hashes: (2, N), of each row's group and of the row.    group: what that is, in a word

    Raises InputError for too few groups.
    """
    distinct = first_of_each(hashes[1])
    report.duplicates = len(pairs) - len(distinct)
    groups = _numbered(hashes[0][distinct])
    count = int(groups.max()) + 1
    if count < MIN_LINES:
        raise InputError(
            f"{source} has {count} distinct {group}{'s' * (count != 1)} in its {pairs.measure}, "
            f"wanted at least {MIN_LINES}"
        )
    place = np.empty(count, np.int64)
    place[np.random.default_rng(seed).permutation(count)] = np.arange(count)
    order = np.argsort(place[groups], kind="stable")
    tenth = count // 10
    cuts = np.searchsorted(place[groups][order], [count - 2 * tenth, count - tenth])
    which = zip(SPLITS, np.split(distinct[order].astype(np.int64), cuts), strict=True)
    return {name: pairs.select(rows) for name, rows in which}


def _numbered(hashes: npt.NDArray[np.int64]) -> Ids:
    """The distinct hashes as 0, 1, 2 ... in the order in which they come first."""
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[which]
