"""A text of lines, such as headlines: cleaned, and in three splits without repetitions."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import ANY, Rows, starts_of, with_ends
from teenygpt_np.text.files import SPLITS
from teenygpt_np.text.report import Report
from teenygpt_np.text.saved import Sink
from teenygpt_np.text.tokenizer import Tokenizer, Unsigned

MIN_LINES = 10

_AT_ONCE = 1 << 20  # characters that are held as texts
_PARTS = 16
# From how many blank lines on, what share of all they are, and how long a line: then it is prose.
_BLANKS, _BLANK, _PARAGRAPH = 10, 0.05, 400

Hashes = npt.NDArray[np.int64]
Places = npt.NDArray[np.uint32]


class _Lines(NamedTuple):
    """Lines one after the other: their ids, and the length and a hash of each, to compare by."""

    ids: Unsigned
    lengths: Places
    hashes: Hashes

    def rows(self, tokenizer: Tokenizer) -> Rows:
        """A row for each line, of any length."""
        return Rows(self.ids, starts_of(self.lengths), self.lengths, tokenizer, ANY)


def unit_of(data: object) -> str:
    """The word for a line of a text: the bundled one, which has no path, consists of headlines."""
    return "line" if data else "headline"


def splits(
    source: str,
    texts: Mapping[str, Iterable[str | None]],
    tokenizer: Tokenizer,
    report: Report,
    sink: Sink,
    seed: int,
) -> dict[str, Rows]:
    """The lines of 'train', 'val' and 'test', cleaned; or those of 'all', in three such splits.

    Raises InputError for an empty split.
    """
    found = {name: _encoded(lines, tokenizer, report, sink) for name, lines in texts.items()}
    report.check_read(source)
    if not any(len(lines.ids) for lines in found.values()):
        others = "; --alphabet=corpus is for a text's own characters" if report.replaced else ""
        raise InputError(
            f"{source} has no text: {report.read:,} lines read, nothing left of them "
            f"in {tokenizer}{others}"
        )
    if _looks_running(report, list(found.values())):
        report.notes.append("it looks like running text, which --text running keeps as it is")
    if "all" in found:
        lines = found.pop("all")
        distinct = first_of_each(lines.hashes)
        report.duplicates = len(lines.hashes) - len(distinct)
        lines = _Lines(lines.ids, lines.lengths, np.zeros(0, np.int64))  # before more is held
        return _divided(source, lines.rows(tokenizer), distinct, seed)
    for name, lines in found.items():
        if not len(lines.ids):
            raise InputError(f"{source}/{name}.txt has no text, wanted at least one line")
    report.count_shared(lines.hashes for lines in found.values())
    return {name: lines.rows(tokenizer) for name, lines in found.items()}


def whole(
    source: str, texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> Rows:
    """All lines in their order. Raises InputError if nothing is left of them."""
    lines = _encoded(texts, tokenizer, report, sink)
    report.check_read(source)
    if not len(lines.ids):
        raise InputError(f"{source} has no text: nothing left of {report.read:,} lines read")
    return lines.rows(tokenizer)


def _encoded(
    texts: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> _Lines:
    """The lines without empty ones."""
    # These grow in place; to concatenate pieces would take twice the memory.
    lengths, hashes = array("I"), array("q")
    for some in in_turn(texts):
        given = [text for text in some if text is not None]
        lines, took = tokenizer.fold_lines(given)
        kept = [line for line in lines if line]
        report.count(len(some), len(given), len(kept), took)
        ids, of_each = with_ends(kept, tokenizer)
        sink.append(ids)
        lengths.frombytes(of_each.astype(np.uint32).tobytes())
        hashes.frombytes(np.fromiter(map(hash, kept), np.int64, len(kept)).tobytes())
    return _Lines(sink.taken(), np.frombuffer(lengths, np.uint32), np.frombuffer(hashes, np.int64))


def _looks_running(report: Report, splits: Sequence[_Lines]) -> bool:
    """Whether a text has blank lines between its parts, or paragraphs for lines."""
    mean = sum(len(lines.ids) for lines in splits) / sum(len(s.lengths) for s in splits)
    return report.empty > max(_BLANKS, _BLANK * report.read) or mean > _PARAGRAPH


def in_turn(texts: Iterable[str | None], parts: int = 1) -> Iterator[list[str | None]]:
    """Some texts at a time: so many that loops over them cost little, and few enough to hold.

    parts: so many texts belong together, and are not torn apart
    """
    some: list[str | None] = []
    size = 0
    for text in texts:
        some.append(text)
        size += len(text or "") + 1
        if size > _AT_ONCE and len(some) % parts == 0:
            yield some
            some, size = [], 0
    if some:
        yield some


def _divided(source: str, rows: Rows, distinct: Places, seed: int) -> dict[str, Rows]:
    if len(distinct) < MIN_LINES:
        raise InputError(
            f"{source} has {len(distinct)} distinct lines, wanted at least {MIN_LINES}"
        )
    np.random.default_rng(seed).shuffle(distinct)
    tenth = len(distinct) // 10
    which = dict(zip(SPLITS, np.split(distinct, [-2 * tenth, -tenth]), strict=True))
    return {
        name: Rows(rows.ids, rows.starts[w], rows.lengths[w], rows.tokenizer, rows.num_tokens)
        for name, w in which.items()
    }


def first_of_each(hashes: Hashes) -> Places:
    """Where each hash stands for the first time. In parts, as sorting takes much memory.

    The same line in two splits would be learned in one and then predicted in the other. Different
    lines share a hash of 64 bits once in a million texts of ten million lines.
    """
    kept, parts = np.zeros(len(hashes), bool), hashes.astype(np.uint8) % _PARTS
    for part in range(_PARTS):
        here = np.flatnonzero(parts == part)
        kept[here[np.unique(hashes[here], return_index=True)[1]]] = True
    return np.arange(len(kept), dtype=np.uint32)[kept]
