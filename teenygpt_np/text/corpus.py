"""A corpus: texts from files, folded into an alphabet, in three splits."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import Rows
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.files import SPLITS, Texts, read_texts
from teenygpt_np.text.reading import STDIN, shown
from teenygpt_np.text.tables import show
from teenygpt_np.text.tokenizer import Tokenizer

MIN_LINES = 10

_MOST_SHOWN = 10


@dataclass
class Report:
    """What was done with the lines of a text (in a table or in JSON, with the values).

    read: number of lines.    columns: where they came from.    empty: dropped, because folding left
    nothing of them.    missing: dropped, because their row does not have the column.
    duplicates: dropped from a single file before it was split.    shared: distinct lines in more
    than one split of a directory; they stay.    folded: changed in any way.    replaced: characters
    that the alphabet lacks, with the number of times.    gap: what they became, ' ' or ''.
    notes: what was noticed in reading the files
    """

    read: int = 0
    columns: list[str] = field(default_factory=list)
    empty: int = 0
    missing: int = 0
    duplicates: int = 0
    shared: int = 0
    folded: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    gap: str = " "
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = [
            (self.empty, "empty, dropped"),
            (self.missing, "missing, dropped"),
            (self.duplicates, "duplicate, dropped"),
            (self.shared, "in more than one split"),
            (self.folded, "changed by folding"),
            (
                self.replaced.total(),
                f"characters {'became spaces' if self.gap else 'were left out'}",
            ),
        ]
        origin = f" from column {show(self.columns)}" if self.columns else ""
        parts = [f"{self.read:,} lines read{origin}", *(f"{n:,} {what}" for n, what in counts if n)]
        parts += self.notes
        most = ", ".join(f"{c!r} {n:,}" for c, n in self.replaced.most_common(_MOST_SHOWN))
        return "; ".join(parts) + (f" (most often {most})" if most else "")


@dataclass(frozen=True)
class Corpus:
    """Three splits of texts, such as headlines, all in the tokenizer's alphabet.

    truth: for each split, the mean nats per text under the grammar that wrote the corpus; None
    unless the files are exactly those that it was computed for.    unit: the word for one text
    """

    name: str
    train: list[str]
    val: list[str]
    test: list[str]
    tokenizer: Tokenizer
    report: Report
    truth: dict[str, float] | None = None
    unit: str = "headline"

    def lines(self, split: str) -> list[str]:
        """The texts of 'train', 'val' or 'test'."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def rows(self, split: str, num_tokens: int) -> Rows:
        """A split as token ids."""
        return Rows.of(self.lines(split), self.tokenizer, num_tokens)

    def cut(self, num_tokens: int) -> int:
        """How many texts are cut at num_tokens tokens, of which the first begins the row."""
        return sum(len(line) >= num_tokens for line in (*self.train, *self.val, *self.test))


def load_corpus(
    path: Path | None,
    *,
    columns: Sequence[str] = (),
    encoding: str = "utf-8",
    alphabet: Literal["article", "corpus"] | Tokenizer = "article",
    seed: int = 0,
) -> Corpus:
    """Read headlines and fold them into the alphabet.

    path: None for the bundled corpus; a directory with train.txt, val.txt and test.txt, used as
    they are; or one file of a format in `files.FORMATS`, or standard input, as `reading.STDIN`,
    whose distinct lines are shuffled by the seed and split 80/10/10.
    columns: the texts of each become headlines; may be left out if the file has only one column
    encoding: of the file, by a name that Python's codecs know
    alphabet: "article" is a-z and space, "corpus" the text's own characters; or a Tokenizer

    Raises InputError, with file and line, for anything that cannot be read, and for an empty split.
    """
    source = _bundled() if path is None else Path(path)
    raw, report = _read(source, columns, encoding)
    try:
        tokenizer = _tokenizer(alphabet, (text for texts in raw.values() for text in texts if text))
    except InputError as error:
        raise InputError(f"{shown(source)}: {error}") from error
    splits = {name: _clean(raw.pop(name), tokenizer, report) for name in list(raw)}
    if not any(splits.values()):
        raise InputError(
            f"{shown(source)} has no headlines: {report.read:,} lines read, nothing left of them "
            f"in {tokenizer}"
        )
    truth = None
    if "all" in splits:
        splits = _split(source, splits["all"], report, seed)
    else:
        report.shared = _shared(splits)
        truth = _truth(source)
    for name, lines in splits.items():
        if not lines:
            raise InputError(f"{source / name}.txt has no headlines, wanted at least one")
    name = "bundled" if path is None else source.absolute().name
    name = shown(STDIN) if source == STDIN else name
    train, val, test = (splits[name] for name in SPLITS)
    return Corpus(name, train, val, test, tokenizer, report, truth)


def read_lines(
    path: Path, tokenizer: Tokenizer, columns: Sequence[str] = (), encoding: str = "utf-8"
) -> tuple[list[str], Report]:
    """All lines of one file, folded, in their order, repeated ones too; and the report on them.

    Raises InputError if the file cannot be read, or if folding leaves nothing of it.
    """
    raw, report = _read(path, columns, encoding)
    lines = _clean(raw["all"], tokenizer, report)
    if not lines:
        raise InputError(
            f"{shown(path)} has no headlines: nothing left of {report.read:,} lines read"
        )
    return lines, report


def check_batch(corpus: Corpus, batch_size: int) -> None:
    """Raise InputError if the training split does not fill one batch."""
    if len(corpus.train) < batch_size:
        raise InputError(
            f"the training split of {corpus.name} has {len(corpus.train):,} headlines, wanted at "
            f"least a batch of {batch_size:,}"
        )


def _read(source: Path, columns: Sequence[str], encoding: str) -> tuple[dict[str, Texts], Report]:
    """The texts as they are in the files, and a report with the notes from reading them."""
    notes: list[str] = []
    try:
        raw, found = read_texts(source, columns, notes, encoding)
    except OSError as error:
        raise InputError(f"{error.filename or source} cannot be read: {error.strerror}") from error
    return raw, Report(columns=found, notes=notes)


def _bundled() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "corpus"
    return installed if installed.is_dir() else package.parent / "data"


def _tokenizer(alphabet: str | Tokenizer, texts: Iterable[str]) -> Tokenizer:
    if isinstance(alphabet, Tokenizer):
        return alphabet
    if alphabet == "article":
        return CharacterTokenizer()
    if alphabet == "corpus":
        return CharacterTokenizer.from_lines(texts)
    raise InputError(f"alphabet must be 'article' or 'corpus', got {alphabet!r}")


def _clean(texts: Iterable[str | None], tokenizer: Tokenizer, report: Report) -> list[str]:
    lines = []
    for text in texts:
        report.read += 1
        if text is None:
            report.missing += 1
            continue
        folded = tokenizer.fold(text)
        report.folded += folded.changed
        report.replaced.update(folded.replaced)
        report.gap = folded.gap
        if folded.text:
            lines.append(folded.text)
        else:
            report.empty += 1
    return lines


def _split(source: Path, lines: list[str], report: Report, seed: int) -> dict[str, list[str]]:
    # The same line in two splits would be learned in one and then predicted in the other.
    distinct = list(dict.fromkeys(lines))
    report.duplicates = len(lines) - len(distinct)
    if len(distinct) < MIN_LINES:
        raise InputError(
            f"{shown(source)} has {len(distinct)} distinct headlines, wanted at least {MIN_LINES}"
        )
    shuffled = [distinct[i] for i in np.random.default_rng(seed).permutation(len(distinct))]
    tenth = len(shuffled) // 10
    return {
        "train": shuffled[: -2 * tenth],
        "val": shuffled[-2 * tenth : -tenth],
        "test": shuffled[-tenth:],
    }


def _shared(splits: dict[str, list[str]]) -> int:
    counts = Counter(line for lines in splits.values() for line in set(lines))
    return sum(n > 1 for n in counts.values())


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


def corpus_hash(corpus: Corpus) -> str:
    """SHA-256 of the three splits, in hexadecimal."""
    splits = [corpus.train, corpus.val, corpus.test]
    return hashlib.sha256(json.dumps(splits).encode("utf-8")).hexdigest()
