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
from teenygpt_np.text.tokenizer import Ids, Tokenizer

BYTES = [bytes([byte]) for byte in range(256)]
# What cannot be seen, as Unicode's pictures of control characters; a space as in the other kinds.
_SEEN = {**{code: chr(0x2400 + code) for code in range(32)}, 32: "␣", 127: "␡"}


@dataclass(frozen=True)
class ByteTokenizer(Tokenizer):
    r"""Ids: the bytes 0..255, then `end`, which is also `pad`, and `begin`; so V = 258.

    Bytes that are no UTF-8 come from Python as "\udc80" to "\udcff" (PEP 383: so a command line
    holds them), and are encoded as the bytes they stand for.
    """

    running: bool = False
    kind: ClassVar[str] = "bytes"

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
    def sizes(self) -> tuple[Array, Array]:
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

    def encode(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """The bytes of all texts, one text after the other, and how many each has.

        N texts -> ids: (n,) uint16, lengths: (N,)

        Raises InputError for half a surrogate pair.
        """
        data, lengths = as_bytes(texts)
        return data.astype(self._dtype), lengths

    def encode_prompt(self, text: str) -> Ids:
        """The beginning of a text, to be continued.    text -> (t,)

        `begin` and the text; of running text only the text, or a newline if there is none.
        """
        before = [] if self.running else [self.begin]
        ids, _ = self.encode([text or "\n" * self.running])
        return np.array([*before, *ids], np.int64)

    def decode(self, ids: npt.ArrayLike) -> str:
        """The text up to the first `end`, `begin` skipped.    ids: (T,) -> text

        U+FFFD stands for bytes that are no UTF-8, as where a character is cut.
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
        found = array.tolist()
        if self.end in found:
            found = found[: found.index(self.end)]
        pieces = b"".join(self.pieces[i] for i in found if i != self.begin)
        return pieces.decode("utf-8", "replace")

    def signs(self, ids: Iterable[int]) -> list[str]:
        r"""Each id's text, '␣' for a space, '␊' for a newline, '\xe9' for a byte that is no text.

        '▷' for `begin`, '⏎' for `end`.
        """
        special = {self.end: "⏎", self.begin: "▷"}
        return [special.get(i) or _seen(self.pieces[i]) for i in map(int, ids)]

    def cut(self, text: str) -> int:
        """Where a chunk of a longer text may be cut; 0 if nowhere.

        The ids of text[:cut] and of all that follows, one after the other, are those of the whole,
        whatever follows. Bytes may be cut anywhere.
        """
        return len(text)

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

    def encode_batch(self, texts: Sequence[str], num_tokens: int) -> tuple[Ids, Ids]:
        """`begin`, the text's tokens, then pads; longer texts are cut.

        N texts -> ids: (N, T), lengths: (N,), which count the end mark
        """
        flat, counts = self.encode(texts)
        ids = np.full((len(texts), num_tokens), self.pad, np.int64)
        ids[:, 0] = self.begin
        places = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        rows = np.repeat(np.arange(len(texts)), counts)
        kept = places < num_tokens
        ids[rows[kept], places[kept]] = flat[kept]
        return ids, np.minimum(counts + 2, num_tokens)

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.min_scalar_type(self.num_token_vals - 1)


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


def _seen(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace").translate(_SEEN)


def running_of(description: dict[str, Any]) -> bool:
    """What a description says of `running`. Raises KeyError or TypeError if it says nothing."""
    running = description["running"]
    if not isinstance(running, bool):
        raise TypeError(f"running is {running!r}, wanted true or false")
    return running
