"""Running text, such as a play, a book or code: documents one after the other, cut by position."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import Windows
from teenygpt_np.text.documents import cut
from teenygpt_np.text.files import SPLITS
from teenygpt_np.text.report import Report
from teenygpt_np.text.saved import Sink
from teenygpt_np.text.tokenizer import Tokenizer, Unsigned

_CUTS = (0.8, 0.9)  # where the validation and the test split begin, if the text has none
_SHORTEST = 2  # windows of one token predicted


def splits(
    source: str,
    pieces: Mapping[str, Iterable[str | None]],
    tokenizer: Tokenizer,
    report: Report,
    sink: Sink,
    seed: int,
) -> dict[str, Windows]:
    """The text of 'train', 'val' and 'test'; or that of 'all', cut at 80 and 90 percent of it.

    pieces: parts of documents, one after the other, with None after each document. Nothing is
    shuffled, so the seed makes no difference: two parts of one page in two splits would make the
    scores look better than they are.

    Raises InputError for a split without text.
    """
    found = {name: _encoded(text, tokenizer, report, sink) for name, text in pieces.items()}
    report.check_read(source)
    if "all" in found:
        ids = found["all"]
        cuts = [int(len(ids) * share) for share in _CUTS]
        found = dict(zip(SPLITS, np.split(ids, cuts), strict=True))
    for name, ids in found.items():
        _check_length(f"the {name} split of {source}", ids)
    return {name: Windows(ids, tokenizer, len(ids) - 1) for name, ids in found.items()}


def whole(
    source: str, pieces: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> Windows:
    """All of the text. Raises InputError if nothing is left of it."""
    ids = _encoded(pieces, tokenizer, report, sink)
    report.check_read(source)
    _check_length(source, ids)
    return Windows(ids, tokenizer, len(ids) - 1)


def _check_length(name: str, ids: Unsigned) -> None:
    if len(ids) < _SHORTEST:
        tokens = f"{len(ids)} token{'s' * (len(ids) != 1)}"
        raise InputError(f"{name} has {tokens}, wanted at least {_SHORTEST}")


def _encoded(
    pieces: Iterable[str | None], tokenizer: Tokenizer, report: Report, sink: Sink
) -> Unsigned:
    """All ids, with `end` after each document."""
    end = np.array([tokenizer.end], tokenizer.dtype)
    for text, is_last in _settled(pieces, tokenizer, report):
        sink.append(tokenizer.encode([text])[0])
        if is_last:
            sink.append(end)
    return sink.taken()


def _settled(
    pieces: Iterable[str | None], tokenizer: Tokenizer, report: Report
) -> Iterator[tuple[str, bool]]:
    """Texts that can be encoded on their own, and whether each is the last of its document."""

    def folded() -> Iterator[str | None]:
        for piece in pieces:
            if piece is None:
                yield None
                continue
            report.read += len(piece)
            found = tokenizer.fold(piece)
            report.replaced.update(found.replaced)
            report.gap = found.gap
            yield found.text

    documents = 0
    for text, is_last in cut(folded(), tokenizer.settled):
        yield text, is_last
        documents += is_last
    if documents != 1:
        report.notes.append(f"{documents:,} documents")
