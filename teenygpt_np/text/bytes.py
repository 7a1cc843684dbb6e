"""The byte tokenizer: an id for each byte of UTF-8, so that no text needs an alphabet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from minigrad import Array
from teenygpt_np.errors import InputError
from teenygpt_np.text.folding import Folded, tidy
from teenygpt_np.text.tokenizer import Ids, Tokenizer, Unsigned, visible

BYTES = [bytes([byte]) for byte in range(256)]


@dataclass(frozen=True)
class ByteTokenizer(Tokenizer):
    r"""Ids: the bytes 0..255, then `end`, which is also `pad`, and `begin`; so V = 258.

    Bytes that are no UTF-8 come from Python as "\udc80" to "\udcff" (PEP 383: so a command line
    holds them), and are encoded as the bytes they stand for.
    """

    running: bool = False
    kind: ClassVar[str] = "bytes"
    unit: ClassVar[str] = "byte"

    @property
    def end(self) -> int:
        """The id that ends a text, the first after those that stand for bytes."""
        return len(self.pieces)

    @property
    def pad(self) -> int:
        """The id that fills a row after its end: `end` again."""
        return self.end

    @property
    def begin(self) -> int:
        """The id that stands before every text, the last one."""
        return self.end + 1

    @property
    def num_token_vals(self) -> int:
        """V: how many token values there are, `end` and `begin` included."""
        return self.end + 2

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes that each id stands for, without `end` and `begin`, which stand for none."""
        return BYTES

    @cached_property
    def sizes(self) -> tuple[Ids, Ids]:
        """How many characters and how many bytes each id stands for.    -> (V,), (V,)

        A character counts where its first byte is. `end` is a newline, `begin` is nothing.
        """
        characters = [sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self.pieces]
        return np.array([*characters, 1, 0]), np.array([*map(len, self.pieces), 1, 0])

    def fold(self, text: str) -> Folded:
        """Leave running text as it is; tidy a line.    Half a surrogate pair becomes U+FFFD."""
        if not self.running:
            folded = tidy(text)
            return Folded(folded, changed=folded != text, replaced={})
        lost = {c: text.count(c) for c in dict.fromkeys(text) if _is_no_byte(c)}
        folded = text.translate(dict.fromkeys(map(ord, lost), "\ufffd"))
        return Folded(folded, changed=bool(lost), replaced=lost, gap="\ufffd")

    def encode(self, texts: Sequence[str]) -> tuple[Unsigned, Ids]:
        """The bytes of all texts, one text after the other, and how many each has.

        N texts -> ids: (n,) uint16, lengths: (N,)

        Raises InputError for half a surrogate pair.
        """
        data, lengths = as_bytes(texts)
        return data.astype(self.dtype), lengths

    def decode(self, ids: npt.ArrayLike) -> str:
        """The text up to the first `end`, `begin` skipped.    ids: (T,) -> text

        U+FFFD stands for bytes that are no UTF-8, as where a character is cut.
        Raises InputError for an id outside 0..V-1, even after the first `end`.
        """
        pieces = b"".join(self.pieces[i] for i in self.until_end(ids))
        return pieces.decode("utf-8", "replace")

    def signs(self, ids: Iterable[int]) -> list[str]:
        r"""Each id's text, '␣' for a space, '␊' for a newline, '\xe9' for a byte that is no text.

        '▷' for `begin`, '⏎' for `end`.
        """
        special = {self.end: "⏎", self.begin: "▷"}
        return [
            special.get(i) or visible(self.pieces[i].decode("utf-8", "backslashreplace"))
            for i in map(int, ids)
        ]

    def description(self) -> dict[str, Any]:
        """The kind, and whether white space is kept."""
        return {"kind": self.kind, "running": self.running}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """The tokenizer described. Raises KeyError or TypeError if it is none."""
        return cls(running_of(description))

    @classmethod
    def fitted(
        cls, texts: Iterable[str], *, running: bool, alphabet: str = "", vocab_size: int = 0
    ) -> Self:
        """The tokenizer of these texts, which for bytes is that of all others, too."""
        return cls(running)

    def __str__(self) -> str:
        return "bytes"


def as_bytes(texts: Sequence[str]) -> tuple[Array, Array]:
    """The UTF-8 of all texts, and how many bytes each has.    N texts -> (n,) uint8, (N,)

    Raises InputError for half a surrogate pair.
    """
    encoded = []
    for place, text in enumerate(texts):
        try:
            encoded.append(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise InputError(
                f"character {text[error.start]!r} at {error.start} of text {place} is half of a "
                "surrogate pair, which has no bytes"
            ) from None
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return np.frombuffer(b"".join(encoded), np.uint8), lengths


def _is_no_byte(character: str) -> bool:
    """Whether it is half of a surrogate pair, and does not stand for a byte that is no UTF-8."""
    return unicodedata.category(character) == "Cs" and not "\udc80" <= character <= "\udcff"


def running_of(description: dict[str, Any]) -> bool:
    """What a description says of `running`. Raises KeyError or TypeError if it says nothing."""
    running = description["running"]
    if not isinstance(running, bool):
        raise TypeError(f"running is {running!r}, wanted true or false")
    return running
