"""The interface of a tokenizer, which is all that other modules use; `tokenizers` has the kinds."""

from __future__ import annotations

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from teenygpt_np.errors import InputError
from teenygpt_np.text.folding import Folded, is_blank

Ids = npt.NDArray[np.int64]
Unsigned = npt.NDArray[np.unsignedinteger[Any]]  # ids where they are kept: as small as they can be


class Tokenizer(ABC):
    """Text to token ids and back. It alone knows what an id means.

    running: whether white space is text, as in running text; otherwise a text is a line, with
    single spaces between its words
    """

    kind: ClassVar[str]  # its name in `tokenizers.TOKENIZERS` and in a run's config.json
    unit: ClassVar[str] = "token"  # the word for what an id stands for
    running: bool = False

    @property
    @abstractmethod
    def pad(self) -> int:
        """The id that fills a row after its end."""

    @property
    @abstractmethod
    def begin(self) -> int:
        """The id that stands before every text."""

    @property
    @abstractmethod
    def end(self) -> int:
        """The id that ends a text; it may be `pad`."""

    @property
    @abstractmethod
    def num_token_vals(self) -> int:
        """V: how many token values there are, with those that stand for no text."""

    @property
    def special(self) -> list[int]:
        """The ids that stand for no text."""
        return sorted({self.pad, self.begin, self.end})

    @abstractmethod
    def fold(self, text: str) -> Folded:
        """Change a text as far as needed so that the tokenizer can encode it."""

    def fold_part(self, text: str, *, goes_on: bool = False) -> Folded:
        """`fold` of a part of a text. A space at its end is kept, since another part follows.

        goes_on: whether it follows a part, so that a space at its beginning is kept as well
        """
        folded = self.fold(text)
        if self.running:  # which keeps them all by itself
            return folded
        before = folded.gap * (goes_on and text.startswith(" ") and bool(folded.text))
        kept = before + folded.text + folded.gap * text.endswith(" ")
        return dataclasses.replace(folded, text=kept)

    def fold_lines(self, lines: Sequence[str]) -> tuple[list[str], Folded]:
        """Each line as `fold` makes it, and what it took for all of them."""
        folded = [self.fold(line) for line in lines]
        replaced: Counter[str] = Counter()
        for one in folded:
            replaced.update(one.replaced)
        gap = folded[0].gap if folded else " "
        return [f.text for f in folded], Folded("", sum(f.changed for f in folded), replaced, gap)

    @property
    def start(self) -> str:
        """What a running text is continued from if nothing is given: a newline, as a rule."""
        return "\n"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds all ids."""
        return np.min_scalar_type(self.num_token_vals - 1)

    @property
    @abstractmethod
    def sizes(self) -> tuple[Ids, Ids]:
        """How many characters and how many bytes of UTF-8 each id stands for.    -> (V,), (V,)

        The end of a text counts as one of each, like the newline that it is in a file.
        """

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> tuple[Unsigned, Ids]:
        """The texts' ids one after the other, no special ones, and how many each text has."""

    @staticmethod
    def settled(text: str) -> int:
        """How many of a text's characters get the same ids whatever follows; it is cut there.

        Whether it may be cut at a place is seen by the two characters around it.
        """
        return len(text)

    def encode_prompt(self, text: str) -> Ids:
        """The ids of a text that is to be continued: `begin` before those of a line.

        A running text may be continued from anywhere, and is never empty: `start` stands for ''.
        """
        ids = self.encode([text or self.start if self.running else text])[0].astype(np.int64)
        return ids if self.running else np.concatenate([[self.begin], ids])

    def row(self, text: str) -> Ids:
        """The ids of a whole text: those of a line between `begin` and `end`."""
        ids = self.encode([text])[0].astype(np.int64)
        return ids if self.running else np.concatenate([[self.begin], ids, [self.end]])

    def until_end(self, ids: npt.ArrayLike) -> list[int]:
        """The ids that stand for text, up to the first `end`.

        Raises InputError for an id outside 0..V-1, even after the first `end`.
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
        return [i for i in itertools.takewhile(self.end.__ne__, array.tolist()) if i != self.begin]

    @abstractmethod
    def decode(self, ids: npt.ArrayLike) -> str:
        """The text of a row of ids, up to its end.    (T,) -> text"""

    @abstractmethod
    def signs(self, ids: Iterable[int]) -> list[str]:
        """A sign to show for each id, also for those that stand for no text."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """All that another process needs to make the same tokenizer; JSON can hold it."""

    @classmethod
    @abstractmethod
    def fitted(
        cls, texts: Iterable[str], *, running: bool, alphabet: str, vocab_size: int
    ) -> Tokenizer:
        """A tokenizer for these texts.    alphabet, vocab_size: as in `Config`

        Raises InputError if the texts allow none.
        """

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any]) -> Tokenizer:
        """The tokenizer described. Raises KeyError, TypeError or ValueError if it is none."""


# What cannot be seen, as Unicode's pictures of control characters; a space by a sign of its own.
_SIGNS = {**{chr(code): chr(0x2400 + code) for code in range(32)}, " ": "␣", "\x7f": "␡"}


def visible(text: str) -> str:
    """A text with a sign for each space and control character, and '·' for any other blank."""
    return "".join(_SIGNS.get(c) or ("·" if is_blank(c) else c) for c in text)
