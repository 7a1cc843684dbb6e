"""Byte-level BPE: bytes, and tokens for what often comes together in a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

import minigrad as mg
from minigrad import Array
from teenygpt_np.errors import InputError
from teenygpt_np.text import merges as reference
from teenygpt_np.text.bytes import BYTES, ByteTokenizer, running_of
from teenygpt_np.text.folding import tidy
from teenygpt_np.text.merges import Pair
from teenygpt_np.text.tokenizer import Ids, Unsigned
from teenygpt_np.text.words import blocks, last_cut, words_of

LEAST_VOCAB, MOST_VOCAB = 259, 1 << 16  # so that 16 bits hold an id
USUAL_VOCAB = 1024
LONGEST = 256  # bytes of a word that are counted together, and so of a token
MOST_DISTINCT = 4_000_000  # bytes of different words; merges are learned in 70 times as much memory

# The places of the bytes where HF `tokenizers` sorts them: those that Latin-1 can show come first.
# Only ties between pairs are decided by it.
SHOWN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = [*SHOWN, *(byte for byte in range(256) if byte not in SHOWN)]


@dataclass(frozen=True)
class BpeTokenizer(ByteTokenizer):
    """Ids: the bytes 0..255, then a token per merge in their order, then `end` and `begin`.

    So V = 258 + M. A text is cut into words (`words`), and no token is of two words. In each word
    the two neighbours of the earliest merge become one, from the left, until no merge applies.

    merges: the two ids that each further token is made of

    Raises InputError for merges of ids that are not there yet, for two that make the same token,
    for a token of more than `LONGEST` bytes, and for none or too many of them.
    """

    merges: tuple[Pair, ...] = ()
    kind: ClassVar[str] = "bpe"
    unit: ClassVar[str] = "token"

    def __post_init__(self) -> None:
        if not 1 <= len(self.merges) <= MOST_VOCAB - 258:
            raise InputError(f"{len(self.merges):,} merges, wanted 1 to {MOST_VOCAB - 258:,}")
        pieces = list(BYTES)
        places: dict[bytes, int] = {}
        for place, (first, second) in enumerate(self.merges):
            if not (0 <= first < len(pieces) and 0 <= second < len(pieces)):
                raise InputError(
                    f"merge {place} is of {first} and {second}, wanted ids in 0..{255 + place}"
                )
            piece = pieces[first] + pieces[second]
            if len(piece) > LONGEST:
                raise InputError(
                    f"merge {place} makes {len(piece)} bytes, wanted at most {LONGEST}"
                )
            if piece in places:
                raise InputError(f"merge {place} makes the same token as merge {places[piece]}")
            places[piece] = place
            pieces.append(piece)
        self.__dict__["pieces"] = pieces

    @classmethod
    def fitted(
        cls, texts: Iterable[str], *, running: bool, alphabet: str = "", vocab_size: int = 0
    ) -> Self:
        """Learn vocab_size - 258 merges from texts; 0: `USUAL_VOCAB`.

        What comes once is no token, and words are counted as `word_counts` says.

        Raises InputError if vocab_size is out of range, or the text has not so many tokens.
        """
        vocab_size = vocab_size or USUAL_VOCAB
        if not LEAST_VOCAB <= vocab_size <= MOST_VOCAB:
            raise InputError(
                f"--vocab-size is {vocab_size:,}, wanted {LEAST_VOCAB} to {MOST_VOCAB:,}: the 256 "
                "bytes, an end, a beginning, and tokens of several bytes"
            )
        counts = word_counts(texts if running else map(tidy, texts))
        merges = reference.learned(counts, np.argsort(BYTE_ORDER), vocab_size - 258)
        if len(merges) < vocab_size - 258:
            most = f"wanted at most {len(merges) + 258:,}" if merges else "wanted more text"
            raise InputError(
                f"--vocab-size is {vocab_size:,}, and the text has only {len(merges):,} different "
                f"pairs to merge that come more than once; {most}"
            )
        return cls(running, tuple(merges))

    def encode(self, texts: Sequence[str]) -> tuple[Unsigned, Ids]:
        """The tokens of all texts, one text after the other, and how many each has.

        N texts -> ids: (n,), in the smallest unsigned dtype that holds V - 1, lengths: (N,)

        Raises InputError for half a surrogate pair.
        """
        ids, lengths = [np.empty(0, self.dtype)], np.zeros(len(texts), np.int64)
        for pieces, places in blocks(texts):
            tokens, counts = self._encode(pieces)
            ids.append(tokens.astype(self.dtype))
            np.add.at(lengths, places, counts)
        return np.concatenate(ids), lengths

    @staticmethod
    def settled(text: str) -> int:
        """Where a piece of a longer text may be cut; 0 if nowhere."""
        return last_cut(text)

    def description(self) -> dict[str, Any]:
        """The kind, whether white space is kept, and the merges in one text, a line each.

        In one text, because config.json has a line for each entry of a list.
        """
        merges = "\n".join(f"{first} {second}" for first, second in self.merges)
        return {**super().description(), "merges": merges}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """The tokenizer described.

        Raises KeyError, TypeError or ValueError if it is none, InputError as `BpeTokenizer` does.
        """
        merges = description["merges"]
        if not isinstance(merges, str):
            raise TypeError(f"merges are {type(merges).__name__}, wanted a text")
        return cls(running_of(description), tuple(map(_pair, merges.splitlines())))

    def __str__(self) -> str:
        return f"{self.num_token_vals:,} tokens of bytes"

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        return reference.table(self.merges)

    def _encode(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Encode texts at once: each different word once.    N texts -> (n,) int64, (N,)"""
        words = words_of(texts)
        kernels = _kernels()
        which, firsts = kernels.distinct(words.data, words.starts)
        starts, sizes = words.starts[firsts], np.diff(words.starts)[firsts]
        data = _slices(words.data, starts, sizes)
        tokens, counts = kernels.merged(data, np.append(0, np.cumsum(sizes)), *self._table)
        ids = _slices(tokens, (np.cumsum(counts) - counts)[which], counts[which])
        ends = np.append(0, np.cumsum(counts[which]))[np.cumsum(words.texts)]
        return ids, np.diff(ends, prepend=0)


def word_counts(texts: Iterable[str]) -> Counter[bytes]:
    """How often each word comes, in pieces of at most `LONGEST` bytes.

    Whenever different words fill more than `MOST_DISTINCT` bytes, the half of them that came least
    often is forgotten; of those that came equally often, the ones that came last.
    """
    counts: Counter[bytes] = Counter()
    for pieces, _ in blocks(texts):
        words = words_of(pieces)
        starts = _short(words.starts)
        which, firsts = _kernels().distinct(words.data, starts)
        data, times = words.data.tobytes(), np.bincount(which).tolist()
        for place, n in zip(firsts.tolist(), times, strict=True):
            counts[data[starts[place] : starts[place + 1]]] += n
        if sum(map(len, counts)) > MOST_DISTINCT:
            counts = Counter(dict(counts.most_common()[: len(counts) // 2]))
    return counts


def _short(starts: Array) -> Array:
    """Words of at most `LONGEST` bytes: a longer one in pieces.    (W + 1,) -> (W + 1 + more,)"""
    sizes = np.diff(starts)
    if not (sizes > LONGEST).any():
        return starts
    pieces = -(-sizes // LONGEST)
    within = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.append(np.repeat(starts[:-1], pieces) + LONGEST * within, starts[-1])


def _slices(array: Array, starts: Array, sizes: Array) -> Array:
    """The slices of an array that begin at `starts`, one after the other."""
    before = np.cumsum(sizes) - sizes
    return array[np.repeat(starts - before, sizes) + np.arange(sizes.sum())]


def _pair(text: str) -> Pair:
    first, second = map(int, text.split())
    return first, second


def _kernels() -> Any:
    """`distinct` and `merged`, compiled where Numba is in use."""
    if mg.get_backend() == "numpy":
        return reference
    from teenygpt_np.text import merges_compiled

    return merges_compiled
