"""What was done with a text on its way from files to ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.folding import Folded
from teenygpt_np.text.tables import show

_MOST_SHOWN = 10


@dataclass
class Report:
    """What was done with the lines of a text (in a table or in JSON, with the values).

    read: number of lines, or of characters of a running text: `unit`.    columns: where they came
    from.    empty: dropped, because folding left nothing of them.    missing: dropped, because
    their row does not have the column.    duplicates: dropped from a single file before it was
    split.    shared: distinct lines in more than one split of a directory; they stay.    folded:
    changed in any way.    replaced: characters that the alphabet lacks, with the number of times.
    gap: what they became, ' ' or ''.    notes: what was noticed in reading the files
    """

    unit: str = "lines"
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

    def count(self, read: int, given: int, kept: int, took: Folded) -> None:
        """Add what was done with some lines.    given: without missing ones, kept: nor empty ones

        took: what it took to fold those given
        """
        self.read += read
        self.missing += read - given
        self.empty += given - kept
        self.folded += took.changed
        self.replaced.update(took.replaced)
        self.gap = took.gap

    def count_shared(self, hashes: Iterable[npt.NDArray[np.int64]]) -> None:
        """Count the lines that are in more than one split.    hashes: of each split's lines"""
        every = np.concatenate([np.unique(of_split) for of_split in hashes])
        self.shared = int((np.unique(every, return_counts=True)[1] > 1).sum())

    def check_read(self, source: str) -> None:
        """Raise InputError if there was nothing to read.    source: its name"""
        if not self.read:
            raise InputError(f"{source} is empty: 0 {self.unit} read; wanted a text")

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
        parts = [f"{self.read:,} {self.unit} read{origin}"]
        parts += [f"{n:,} {what}" for n, what in counts if n]
        if most := ", ".join(f"{c!r} {n:,}" for c, n in self.replaced.most_common(_MOST_SHOWN)):
            parts[-1] += f" (most often {most})"
        return "; ".join([*parts, *self.notes])
