"""The character tokenizer: an id for each character, one for padding and one for the beginning."""

from __future__ import annotations

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
from teenygpt_np.text.tokenizer import Ids, Tokenizer

ARTICLE = "abcdefghijklmnopqrstuvwxyz "
MAX_CHARACTERS = 20_000


@dataclass(frozen=True)
class CharacterTokenizer(Tokenizer):
    """Ids: `pad` 0, `characters` 1..n in their order, `begin` n + 1; so V = n + 2 token values.

    The first pad of a row is its end mark. The article calls `begin` `cls`.

    Raises InputError for no character or more than `MAX_CHARACTERS`, for a character that comes
    twice, for a control character, and for white space other than a plain space.
    """

    characters: str = ARTICLE
    kind: ClassVar[str] = "characters"
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
            if character != " " and is_blank(character):
                raise InputError(
                    f"character {character!r} at {i} cannot be in an alphabet: the only white "
                    "space there is ' '"
                )

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> CharacterTokenizer:
        """A tokenizer of the lines' characters after `tidy`, sorted by code point.

        Raises InputError as `CharacterTokenizer` does.
        """
        characters: set[str] = set()
        for line in lines:
            characters.update(tidy(line))
        return cls("".join(sorted(characters)))

    @property
    def begin(self) -> int:
        """The id that stands before every text."""
        return len(self.characters) + 1

    @property
    def num_token_vals(self) -> int:
        """V: how many token values there are, `pad` and `begin` included."""
        return len(self.characters) + 2

    def encode(self, text: str, num_tokens: int) -> Ids:
        """`begin`, the characters, then pads.    text -> ids: (num_tokens,)

        A longer text is cut to num_tokens - 1 characters.
        Raises InputError naming the first character outside the alphabet.
        """
        return self._encode([text], num_tokens, where="")[0][0]

    def encode_batch(self, texts: Sequence[str], num_tokens: int) -> tuple[Ids, Ids]:
        """Encode every text, and count its tokens, the end mark included.

        N texts -> ids: (N, num_tokens), lengths: (N,)

        Raises InputError as `encode` does.
        """
        return self._encode(texts, num_tokens, where=" of line {}")

    def encode_prompt(self, text: str) -> Ids:
        """`begin` and all the characters, no pads.    text -> ids: (1 + len(text),)

        Raises InputError naming the first character outside the alphabet.
        """
        return self.encode(text, len(text) + 1)

    def decode(self, ids: npt.ArrayLike) -> str:
        """The characters up to the first pad, `begin` skipped.    ids: (T,) -> text

        Raises InputError for an id outside 0..V-1, even after the first pad.
        """
        array = np.asarray(ids)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise InputError(
                f"ids must be integers along one axis, got {array.dtype} of shape {array.shape}"
            )
        outside = np.flatnonzero((array < 0) | (array >= self.num_token_vals))
        if outside.size:
            i = outside[0]
            raise InputError(
                f"token id {array[i]} at [{i}] is outside 0..{self.num_token_vals - 1}"
            )
        found = array.tolist()
        if self.pad in found:
            found = found[: found.index(self.pad)]
        return "".join(self.characters[i - 1] for i in found if i != self.begin)

    def __str__(self) -> str:
        return f"the alphabet {self.characters[:40]!r}"

    def signs(self, ids: Iterable[int]) -> list[str]:
        """Each character itself, '␣' for a space; '▷' for `begin`, '⏎' for the end mark."""
        special = {self.end: "⏎", self.begin: "▷"}
        return [special.get(i) or self.characters[i - 1].replace(" ", "␣") for i in map(int, ids)]

    def description(self) -> dict[str, Any]:
        """The kind and the characters."""
        return {"kind": self.kind, "characters": self.characters}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> CharacterTokenizer:
        """The tokenizer of the described characters.

        Raises KeyError or TypeError if there are none, InputError as `CharacterTokenizer` does.
        """
        characters = description["characters"]
        if not isinstance(characters, str):
            raise TypeError(f"characters are {type(characters).__name__}, wanted a text")
        return cls(characters)

    def fold(self, text: str) -> Folded:
        """Bring any text into the alphabet, with single spaces inside and none at the ends.

        A character of the alphabet stays. Any other is decomposed (NFKD), loses its combining
        marks, is case-folded, and letters such as ł and æ become plain ones. What is then in the
        alphabet stays; the rest becomes spaces, or is left out if the alphabet has no space.
        So the article's alphabet reads 'É' as 'e', 'Ł' as 'l' and '?' as ' ', and a corpus's own
        alphabet loses nothing of that corpus but control characters.
        """
        composed = unicodedata.normalize("NFC", text)
        folded = collapse(composed.translate(self._folds))
        if folded == text:
            return Folded(text, changed=False, replaced={}, gap=self._gap)
        lost = [c for c in dict.fromkeys(composed) if self._is_lost(c)]
        return Folded(
            folded, changed=True, replaced={c: composed.count(c) for c in lost}, gap=self._gap
        )

    def _encode(self, lines: Sequence[str], num_tokens: int, where: str) -> tuple[Ids, Ids]:
        if num_tokens < 1:
            raise InputError(f"num_tokens must be at least 1, got {num_tokens}")
        cut = [line[: num_tokens - 1] for line in lines]
        lengths = np.fromiter(map(len, cut), np.int64, len(cut))
        # Every character of every line in one array: a loop over lines would cost seconds.
        encoded = "".join(cut).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(encoded, np.dtype("<u4"))
        found = self._lookup[np.minimum(codes, len(self._lookup) - 1)]
        if not found.all():
            first = int(np.argmin(found))
            ends = np.cumsum(lengths)
            line = int(np.searchsorted(ends, first, side="right"))
            position = first - int(ends[line] - lengths[line])
            raise InputError(
                f"character {cut[line][position]!r} at {position}{where.format(line)} is outside "
                f"the alphabet {self._shown()}"
            )
        ids = np.full((len(cut), num_tokens), self.pad, np.int64)
        ids[:, 0] = self.begin
        ids[:, 1:][np.arange(num_tokens - 1) < lengths[:, None]] = found
        return ids, np.minimum(lengths + 2, num_tokens)

    @cached_property
    def _lookup(self) -> Ids:
        """The id of each code point, 0 for none. The last entry is 0, for all code points above."""
        codes = [ord(c) for c in self.characters]
        lookup = np.zeros(max(codes) + 2, np.int64)
        lookup[codes] = np.arange(1, len(codes) + 1)
        return lookup

    @cached_property
    def _folds(self) -> Table:
        return Table(self._becomes)

    @property
    def _gap(self) -> str:
        return " " if " " in self.characters else ""

    def _becomes(self, character: str) -> str:
        if character in self.characters:
            return character
        pieces = without_marks(without_marks(character).casefold())
        if not pieces and unicodedata.category(character).startswith("M"):
            return ""
        return "".join(
            c if c in self.characters else self._gap
            for piece in pieces
            for c in (piece if piece in self.characters else written(piece))
        )

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
