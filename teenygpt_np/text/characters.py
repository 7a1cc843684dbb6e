"""The character tokenizer: an id for each character, one for padding and one for the beginning."""

from __future__ import annotations

import dataclasses
import operator
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.folding import (
    Folded,
    Table,
    collapse,
    is_blank,
    tidy,
    without_marks,
    written,
)
from teenygpt_np.text.tokenizer import Ids, Tokenizer, Unsigned, visible

ARTICLE = "abcdefghijklmnopqrstuvwxyz "
MAX_CHARACTERS = 20_000


@dataclass(frozen=True)
class CharacterTokenizer(Tokenizer):
    """Ids: `pad` 0, `characters` 1..n in their order, `begin` n + 1; so V = n + 2 token values.

    The first pad of a row is its end mark. The article calls `begin` `cls`.

    running: also line ends, tabs and all other white space are characters, and none is changed

    Raises InputError for no character or more than `MAX_CHARACTERS`, for a character that comes
    twice and, unless running, for a control character and for white space other than a plain space.
    """

    characters: str = ARTICLE
    running: bool = False
    kind: ClassVar[str] = "characters"
    unit: ClassVar[str] = "character"
    pad: ClassVar[int] = 0
    end: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if not self.characters:
            raise InputError("an alphabet needs at least one character, got none")
        if len(self.characters) > MAX_CHARACTERS:
            raise InputError(
                f"an alphabet has at most {MAX_CHARACTERS:,} characters, got "
                f"{len(self.characters):,}"
            )
        seen: set[str] = set()
        for i, character in enumerate(self.characters):
            if character in seen:
                raise InputError(f"character {character!r} at {i} is already in the alphabet")
            seen.add(character)
            if character != " " and is_blank(character) and not self.running:
                raise InputError(
                    f"character {character!r} at {i} cannot be in an alphabet: the only white "
                    "space there is ' '"
                )

    @classmethod
    def fitted(
        cls, texts: Iterable[str], *, running: bool, alphabet: str, vocab_size: int = 0
    ) -> CharacterTokenizer:
        """The article's alphabet, or that of the texts' own characters, sorted by code point.

        Raises InputError as `CharacterTokenizer` does, and for texts without a character.
        """
        if alphabet == "article":
            return cls(running=running)
        seen = np.zeros(sys.maxunicode + 1, bool)
        for text in texts:
            kept = text if running else tidy(text)
            seen[np.frombuffer(kept.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))] = True
        if not seen.any():
            raise InputError("an alphabet needs at least one character, got none but white space")
        return cls("".join(map(chr, np.flatnonzero(seen))), running)

    @property
    def begin(self) -> int:
        """The id that stands before every text."""
        return len(self.characters) + 1

    @property
    def num_token_vals(self) -> int:
        """V: how many token values there are, `pad` and `begin` included."""
        return len(self.characters) + 2

    @property
    def start(self) -> str:
        """A newline, or a space, or else the first character of the alphabet."""
        return next(c for c in "\n " + self.characters if c in self.characters)

    @cached_property
    def sizes(self) -> tuple[Ids, Ids]:
        """One character each, but none for `begin`."""
        lengths = [1, *(len(c.encode("utf-8", "surrogatepass")) for c in self.characters), 0]
        return np.minimum(lengths, 1), np.array(lengths)

    def encode(self, texts: Sequence[str]) -> tuple[Unsigned, Ids]:
        """An id for each character.    N texts -> ids: (M,), counts: (N,)

        Raises InputError naming the first character outside the alphabet.
        """
        counts = np.fromiter(map(len, texts), np.int64, len(texts))
        # Every character of every text in one array: a loop over texts would cost seconds.
        encoded = "".join(texts).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(encoded, np.dtype("<u4"))
        ids = self._lookup[np.minimum(codes, len(self._lookup) - 1)]
        if not ids.all():
            i = int(ids.argmin())  # of the first 0
            place = int(np.searchsorted(counts.cumsum(), i, side="right"))
            where = f" of line {place + 1}" if len(texts) > 1 else ""
            raise InputError(
                f"character {chr(codes[i])!r} at {i - counts[:place].sum()}{where} is outside the "
                f"alphabet {self._shown()}"
            )
        return ids, counts

    def decode(self, ids: npt.ArrayLike) -> str:
        """The characters up to the first pad, `begin` skipped.    ids: (T,) -> text

        Raises InputError for an id outside 0..V-1, even after the first pad.
        """
        return "".join(self.characters[i - 1] for i in self.until_end(ids))

    def __str__(self) -> str:
        return f"the alphabet {self.characters[:40]!r}"

    def signs(self, ids: Iterable[int]) -> list[str]:
        """Each character itself, '␣' for a space; '▷' for `begin`, '⏎' for the end mark."""
        special = {self.end: "⏎", self.begin: "▷"}
        return [special.get(i) or visible(self.characters[i - 1]) for i in map(int, ids)]

    def description(self) -> dict[str, Any]:
        """The kind, the characters, and whether it is for running text."""
        told = {"kind": self.kind, "characters": self.characters}
        return told | ({"running": True} if self.running else {})

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> CharacterTokenizer:
        """The tokenizer of the described characters.

        Raises KeyError or TypeError if there are none, InputError as `CharacterTokenizer` does.
        """
        characters = description["characters"]
        if not isinstance(characters, str):
            raise TypeError(f"characters are {type(characters).__name__}, wanted a text")
        return cls(characters, description.get("running", False) is True)

    def fold(self, text: str) -> Folded:
        """Bring any text into the alphabet; a line with single spaces inside, none at the ends.

        A character of the alphabet stays. Any other is decomposed (NFKD), loses its combining
        marks, is case-folded, and letters such as ł and æ become plain ones. What is then in the
        alphabet stays; the rest becomes spaces, or is left out if the alphabet has no space.
        So the article's alphabet reads 'É' as 'e', 'Ł' as 'l' and '?' as ' ', and a corpus's own
        alphabet loses nothing of that corpus but control characters.
        """
        if not self.running:
            [folded], took = self.fold_lines([text])
            return dataclasses.replace(took, text=folded, changed=folded != text)
        folded = text.translate(self._folds)
        changed = folded != text
        return Folded(folded, changed, self._lost(text) if changed else {}, self.gap)

    def fold_lines(self, lines: Sequence[str]) -> tuple[list[str], Folded]:
        """Each line as `fold` makes it, and what it took for all of them.

        They are joined by line ends, so that Python's loops are over the whole, not over lines.
        """
        if not lines:
            return [], Folded("", 0, {}, self.gap)
        joined = "\n".join(lines)
        if joined.count("\n") >= len(lines):  # a field of a table may have line ends in it
            joined = "\n".join(line.replace("\n", " ") for line in lines)
        composed = unicodedata.normalize("NFC", joined)
        folded = collapse(composed.translate(self._line_folds))
        texts = folded.replace(" \n", "\n").replace("\n ", "\n").split("\n")
        changed = sum(map(operator.ne, texts, lines))
        return texts, Folded("", changed, self._lost(composed) if changed else {}, self.gap)

    def _lost(self, text: str) -> dict[str, int]:
        """The characters that the alphabet lacks, in the order in which they come, with counts."""
        lost = sorted(filter(self._is_lost, set(text)), key=text.index)
        return {c: text.count(c) for c in lost}

    @cached_property
    def _lookup(self) -> Unsigned:
        """The id of each code point, 0 for none. The last entry is 0, for all code points above."""
        codes = [ord(c) for c in self.characters]
        lookup = np.zeros(max(codes) + 2, self.dtype)
        lookup[codes] = np.arange(1, len(codes) + 1)
        return lookup

    @cached_property
    def _folds(self) -> Table:
        return Table(self._becomes)

    @cached_property
    def _line_folds(self) -> Table:
        return Table(lambda character: character if character == "\n" else self._becomes(character))

    @property
    def gap(self) -> str:
        """What a character becomes that the alphabet lacks: ' ', or '' if it lacks that, too."""
        return " " if " " in self.characters else ""

    def _becomes(self, character: str) -> str:
        if character in self.characters:
            return character
        pieces = without_marks(without_marks(character).casefold())
        if not pieces and unicodedata.category(character).startswith("M"):
            return ""
        return "".join(
            c if c in self.characters else self.gap
            for piece in pieces
            for c in (piece if piece in self.characters else written(piece))
        )

    def folds(self) -> dict[str, str]:
        """The characters that become each text of the alphabet, one after the other.

        Those of the planes 0 and 1, which have nearly all that become anything.
        """
        found: dict[str, str] = {}
        for character in map(chr, range(0x20000)):
            if character in self.characters or is_blank(character):
                continue
            if (text := self._becomes(character)).strip():
                found[text] = found.get(text, "") + character
        return found

    def _is_lost(self, character: str) -> bool:
        return (
            not self._folds[ord(character)].strip()
            and not character.isspace()
            and not unicodedata.category(character).startswith("M")
        )

    def _shown(self) -> str:
        if len(self.characters) <= 2 * len(ARTICLE):
            return repr(self.characters)
        return f"of {len(self.characters)} characters"
