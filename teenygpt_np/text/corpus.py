"""A corpus: texts from files as token ids, in three splits."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.text import headlines, labels, pairs, preferences, running, saved
from teenygpt_np.text.batches import Rows, Split
from teenygpt_np.text.documents import cut, read_documents
from teenygpt_np.text.files import SPLITS, read_texts
from teenygpt_np.text.headlines import unit_of
from teenygpt_np.text.mapping import release
from teenygpt_np.text.reading import STDIN, shown
from teenygpt_np.text.report import Report
from teenygpt_np.text.saved import InMemory, Sink, Tell, is_large
from teenygpt_np.text.tokenizer import Tokenizer, Unsigned
from teenygpt_np.text.tokenizers import TOKENIZERS

_CHUNK = 1 << 24  # ids hashed at a time
_TELL = 1 << 22  # characters until it is told again

Texts = Mapping[str, Iterable[str | None]]  # of each split


class Kind(NamedTuple):
    """How one kind of text becomes splits.

    unit: of `Report.read`.    alphabet: where none is asked for
    every: a tokenizer is fitted to each such text alone, as those between them are labels
    kept: whether the ids of a large text go to a file, which has no names of classes
    """

    unit: str
    alphabet: str
    read: Callable[[Path, Sequence[str], str, str, list[str]], tuple[Texts, list[str]]]
    splits: Callable[[str, Texts, Tokenizer, Report, Sink, int], Mapping[str, Split]]
    whole: Callable[[str, Iterable[str | None], Tokenizer, Report, Sink], Split]
    every: int = 1
    kept: bool = True


KINDS = {
    "lines": Kind("lines", "article", read_texts, headlines.splits, headlines.whole),
    "running": Kind("characters", "corpus", read_documents, running.splits, running.whole),
    "pairs": Kind("pairs", "corpus", pairs.read_pairs, pairs.splits, pairs.whole),
    "labels": Kind("texts", "corpus", labels.read_labels, labels.splits, labels.whole, 2, False),
    "preferences": Kind(
        "preferences",
        "corpus",
        preferences.read_preferences,
        preferences.splits,
        preferences.whole,
    ),
}


@dataclass(frozen=True)
class Corpus:
    """Three splits of a text.

    digest: `corpus_hash` of it, if that is known already
    truth: for each split, the mean nats per line under the grammar that wrote the corpus; None
    unless the files are exactly those that it was computed for
    """

    name: str
    splits: Mapping[str, Split]
    tokenizer: Tokenizer
    report: Report
    digest: str = ""
    truth: dict[str, float] | None = None

    def rows(self, split: str, num_tokens: int) -> Split:
        """The rows of 'train', 'val' or 'test' for a model that reads num_tokens."""
        return self.splits[split].cut(num_tokens)


@dataclass(frozen=True)
class Reading:
    """How a text is read and turned into ids, by the settings of `Config` that have these names.

    text: 'lines', such as headlines, one per line: of one file, the distinct lines are shuffled by
    the seed and split 80/10/10. Or 'running': the documents of one file or of a directory, between
    which a line `split_on` may stand, are cut into 80/10/10 percent. Or 'pairs': a source and its
    target, whose sources are shuffled and split as lines are; so are the rows of 'labels' and of
    'preferences'.
    columns: the texts of each are used; may be left out if the file has only one column
    encoding: of the files, by a name that Python's codecs know
    """

    text: str = "lines"
    columns: Sequence[str] = ()
    encoding: str = "utf-8"
    split_on: str = ""
    tokenizer: str = "characters"
    alphabet: str = "auto"
    vocab_size: int = 0
    seed: int = 0


def load_corpus(
    path: Path | Sequence[Path] | None,
    given: Tokenizer | None = None,
    folder: Path | None = None,
    tell: Tell = lambda text: None,
    **settings: Any,
) -> Corpus:
    """Read a text and turn it into token ids.

    path: None for the bundled corpus; a directory with train.txt, val.txt and test.txt, used as
    they are; or one file of a format in `files.FORMATS`, or standard input, as `reading.STDIN`;
    for running text any file or directory; several files are read one after the other
    given: a tokenizer to use as it is; otherwise one is fitted to the text
    folder: where the ids of a large text are kept for the next time; None: they are not
    tell: is called with how far it is, again and again.    settings: those of `Reading`

    Raises InputError, with file and line, for anything that cannot be read, and for an empty split.
    """
    reading = Reading(**settings)
    if path is None and reading.text == "pairs":
        raise InputError("there are no bundled pairs, wanted a file of them")
    sources = [path] if isinstance(path, str | Path) else path or [_bundled()]
    first, *more = map(Path, sources)
    name = "bundled" if path is None else shown(first) if first == STDIN else first.absolute().name
    name += f" and {len(more)} more" * bool(more)
    if folder is not None and KINDS[reading.text].kept and is_large([first, *more]):
        return _from_file(name, [first, *more], reading, given, folder, tell)
    corpus = _made(name, [first, *more], reading, given, tell, InMemory)
    splits = {
        name: dataclasses.replace(split, unit=unit_of(path)) if isinstance(split, Rows) else split
        for name, split in corpus.splits.items()
    }
    return dataclasses.replace(corpus, splits=splits, truth=None if more else _truth(first))


def _made(
    name: str,
    sources: Sequence[Path],
    reading: Reading,
    given: Tokenizer | None,
    tell: Tell,
    sink_of: saved.SinkOf,
) -> Corpus:
    """The corpus, as it is read.    sink_of: where ids of a dtype go"""
    kind = KINDS[reading.text]
    texts, report = _read(sources, kind, reading)
    tokenizer = given or _fitted(sources, texts, reading, tell)
    sink = _Told(sink_of(tokenizer.dtype), tell)
    splits = kind.splits(_all_shown(sources), texts, tokenizer, report, sink, reading.seed)
    report.notes = list(dict.fromkeys(report.notes))  # to fit a tokenizer, all is read twice
    return Corpus(name, splits, tokenizer, report)


class _Told:
    """A sink that tells how much it was given."""

    def __init__(self, sink: Sink, tell: Tell) -> None:
        self.sink, self.tell, self.size = sink, tell, 0

    def append(self, ids: Unsigned) -> None:
        self.sink.append(ids)
        self.size += len(ids)
        self.tell(f"reading the text: {self.size:,} tokens")

    def taken(self) -> Unsigned:
        return self.sink.taken()


def _from_file(
    name: str,
    sources: Sequence[Path],
    reading: Reading,
    given: Tokenizer | None,
    folder: Path,
    tell: Tell,
) -> Corpus:
    """The corpus with its ids in a file of `folder`, which is made if it is not there."""

    def make(sink_of: saved.SinkOf) -> saved.Content:
        made = _made(name, sources, reading, given, tell, sink_of)
        return saved.Content(made.splits, made.tokenizer, made.report, corpus_hash(made))

    settings = dataclasses.asdict(reading)
    return Corpus(name, *saved.found_or_made(folder, sources, settings, given, tell, make))


def _fitted(sources: Sequence[Path], texts: Texts, reading: Reading, tell: Tell) -> Tokenizer:
    alphabet, told, kind = reading.alphabet, 0, TOKENIZERS[reading.tokenizer]

    def parts() -> Iterator[str]:
        nonlocal told
        pieces: Iterable[str | None] = itertools.chain.from_iterable(texts.values())
        if reading.text == "running":  # no word is taken for two that a piece of a file ends in
            pieces = (text for text, _ in cut(pieces, kind.settled))
        for part in itertools.islice(pieces, 0, None, KINDS[reading.text].every):
            if part:
                told += len(part)
                if told % _TELL < len(part):
                    tell(f"what tokens the text has: {told:,} characters read")
                yield part
        if not told:
            what = "is empty, or has only line ends; wanted a text"
            raise InputError(f"{_all_shown(sources)} {what}")

    try:
        return kind.fitted(
            parts(),
            running=reading.text == "running",
            alphabet=KINDS[reading.text].alphabet if alphabet == "auto" else alphabet,
            vocab_size=reading.vocab_size,
        )
    except InputError as error:
        if any(shown(path) in str(error) for path in sources):  # named already
            raise
        raise InputError(f"{_all_shown(sources)}: {error}") from error


def read_whole(path: Path, tokenizer: Tokenizer, **settings: Any) -> tuple[Split, Report]:
    """All of one file as a single split: its lines in their order, repeated ones too; a report.

    settings: those of `Reading`; text is 'lines', or what the tokenizer is for

    Raises InputError if the file cannot be read, or if folding leaves nothing of it.
    """
    reading = Reading(**{"text": "running" if tokenizer.running else "lines"} | settings)
    kind = KINDS[reading.text]
    texts, report = _read([path], kind, reading)
    return kind.whole(
        shown(path), texts["all"], tokenizer, report, InMemory(tokenizer.dtype)
    ), report


def _read(sources: Sequence[Path], kind: Kind, reading: Reading) -> tuple[Texts, Report]:
    """The texts as they are in the files, and a report that gets the notes from reading them."""
    if reading.split_on and reading.text != "running":
        raise InputError("--split-on is for --text running, where a text is not a line")
    notes: list[str] = []
    how = reading.columns, reading.encoding, reading.split_on, notes
    texts, found = kind.read(sources[0], *how)
    report = Report(kind.unit, columns=found, notes=notes)
    if len(sources) > 1:
        for path in sources:
            if path == STDIN or path.is_dir():
                raise InputError(f"{shown(path)} is one of {len(sources)} texts; wanted files")
        others = [kind.read(path, *how)[0]["all"] for path in sources[1:]]
        texts = {"all": _Chain([texts["all"], *others])}
    return texts, report


@dataclass(frozen=True)
class _Chain:
    """The texts of several files. Each time they are iterated, they are read."""

    files: Sequence[Iterable[str | None]]

    def __iter__(self) -> Iterator[str | None]:
        return itertools.chain.from_iterable(self.files)


def _all_shown(sources: Sequence[Path]) -> str:
    """The sources' names, for a message."""
    first, *more = map(shown, sources)
    return f"{first} and {len(more)} more" if more else first


def _bundled() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "corpus"
    return installed if installed.is_dir() else package.parent / "data"


def _truth(directory: Path) -> dict[str, float] | None:
    truth = {}
    try:
        splits = json.loads((directory / "entropy.json").read_text(encoding="utf-8"))["splits"]
        for name in SPLITS:
            found = hashlib.sha256((directory / f"{name}.txt").read_bytes()).hexdigest()
            if found != splits[name]["sha256"]:
                return None
            truth[name] = float(splits[name]["nats_per_headline"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no such file, or one with another content
    return truth


def is_hash_of(digest: object, corpus: Corpus) -> bool:
    """Whether `corpus_hash` gave this, or would have given it in formats 1 and 2 of a run."""
    return digest == corpus_hash(corpus) or digest == _hash_of_texts(corpus)


def corpus_hash(corpus: Corpus) -> str:
    """SHA-256 of the tokenizer and the ids of the three splits, in hexadecimal."""
    if corpus.digest:
        return corpus.digest
    digest = hashlib.sha256(json.dumps(corpus.tokenizer.description()).encode("utf-8"))
    for name in SPLITS:
        split = corpus.splits[name]
        for array in (split.ids, *split.places().values()):
            for start in range(0, len(array), _CHUNK):
                digest.update(np.ascontiguousarray(array[start : start + _CHUNK]).data)
                release(array)
    return digest.hexdigest()


def _hash_of_texts(corpus: Corpus) -> str:
    """SHA-256 of the lines themselves; '' for running text, which those formats did not know."""
    splits = [corpus.splits[name] for name in SPLITS]
    texts = [split.texts() for split in splits if isinstance(split, Rows)]
    return hashlib.sha256(json.dumps(texts).encode("utf-8")).hexdigest() if texts else ""
