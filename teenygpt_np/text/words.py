r"""From text to words, which BPE's tokens never cross.

A word is a run of letters, of digits or of signs, with the space before it, as `PATTERN` says. All
other white space is a word too: a run of it, but for the last character where a word follows.
So "So, 12  apples\n" is "So", ",", " 12", " ", " apples", "\n".

Signs are named here by ranges. All that is not named is a letter, so vowel signs and accents stay
in their words, and what a word is does not depend on the version of Unicode. Three characters side
by side say whether a word begins at the second one.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minigrad import Array
from teenygpt_np.text.bytes import as_bytes

# The code points of signs. Apostrophes (27, 2019) are not among them, so that "don't" is one word,
# nor are the joiners (200C, 200D) of Persian and Hindi words.
_SIGNS = (
    *((0x00, 0x08), (0x0E, 0x1F), (0x21, 0x26), (0x28, 0x2F), (0x3A, 0x40), (0x5B, 0x60)),
    *((0x7B, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7)),
    *((0x60C, 0x60C), (0x61B, 0x61B), (0x61F, 0x61F), (0x6D4, 0x6D4), (0x964, 0x965)),
    *((0x2000, 0x200B), (0x200E, 0x2018), (0x201A, 0x2BFF)),  # punctuation, arrows, symbols
    *((0x3000, 0x3004), (0x3008, 0x303F), (0xFE30, 0xFE6F)),  # of Chinese and Japanese
    *((0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65)),  # wide ones
    (0x1F000, 0x1FAFF),  # emoji
)
_LETTER, _DIGIT, _SIGN, _SPACE = range(4)


def _in_class(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x80 else chr(code)


_RANGES = "".join(f"{_in_class(first)}-{_in_class(last)}" for first, last in _SIGNS)
_SPACES = r"\x09-\x0d\x20"
# The rule as a regular expression, for `tokenizer.json`; `re` reads it as well.
PATTERN = (
    rf" ?[^{_SPACES}0-9{_RANGES}]+| ?[0-9]+| ?[{_RANGES}]+"
    rf"|[{_SPACES}]+(?![^{_SPACES}])|[{_SPACES}]+"
)
_BLOCK = 1 << 20  # characters that are looked at together: a chunk of a file, and not all of it


class Words(NamedTuple):
    """Texts as words.

    data: (n,) uint8, the UTF-8 of the texts, one after the other.    starts: (W + 1,), where in it
    each of the W words begins, and where the last one ends.    texts: (N,), how many words each
    text has
    """

    data: Array
    starts: Array
    texts: Array


def words_of(texts: Sequence[str]) -> Words:
    """Cut texts into words.    Raises InputError for half a surrogate pair."""
    data, _ = as_bytes(texts)
    codes = _codes("".join(texts))
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    (starts,) = np.nonzero(word_starts(codes, ends))
    before = np.searchsorted(starts, ends)
    if len(data) > len(codes):
        sizes = _sizes()[codes]
        starts = (np.cumsum(sizes, dtype=np.int64) - sizes)[starts]
    return Words(data, np.append(starts, len(data)), np.diff(before, prepend=0))


def word_starts(codes: Array, ends: Array) -> Array:
    """Whether a word begins, for each character of texts that stand one after the other.

    codes: (n,), the characters.    ends: (N,), where each text ends.    -> (n,) bool
    """
    kinds = _kinds()[codes]
    is_space, is_plain = kinds == _SPACE, codes == ord(" ")
    word_follows = np.append(~is_space[1:], False)
    word_follows[ends[ends > 0] - 1] = False
    starts = is_space & word_follows  # the last character of white space before a word
    # The kind changes: not so behind a plain space, which is part of its word.
    starts[1:] |= (kinds[1:] != kinds[:-1]) & ~is_plain[:-1]
    starts[:1] = True
    starts[ends[ends < len(codes)]] = True
    return starts


def last_cut(text: str) -> int:
    """The last place where a word ends, whatever follows the text; 0 if there is none.

    It is never behind white space, because whether that is one word depends on what follows.
    """
    for width in (1 << 10, len(text)):  # mostly near the end
        start = max(len(text) - width, 0)
        kinds = _kinds()[_codes(text[start:])]
        (places,) = np.nonzero((kinds[1:] != kinds[:-1]) & (kinds[:-1] != _SPACE))
        if places.size:
            return start + int(places[-1]) + 1
    return 0


def blocks(texts: Iterable[str]) -> Iterator[tuple[list[str], list[int]]]:
    """Texts in blocks of a million characters or little more: pieces, and which text each is of.

    A text that is longer than a block is cut where a word ends.
    """
    pieces: list[str] = []
    places: list[int] = []
    size = 0
    for place, text in enumerate(texts):
        for piece in _pieces(text):
            pieces.append(piece)
            places.append(place)
            size += len(piece)
            if size >= _BLOCK:
                yield pieces, places
                pieces, places, size = [], [], 0
    if pieces:
        yield pieces, places


def _pieces(text: str) -> Iterator[str]:
    start, width = 0, _BLOCK
    while len(text) - start > width:
        if cut := last_cut(text[start : start + width]):
            yield text[start : start + cut]
            start, width = start + cut, _BLOCK
        else:  # one word is longer than this
            width *= 2
    yield text[start:]


def _codes(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


@functools.cache
def _kinds() -> Array:
    """What each character is."""
    kinds = np.full(sys.maxunicode + 1, _LETTER, np.uint8)
    kinds[[ord(c) for c in "\t\n\v\f\r "]] = _SPACE
    kinds[ord("0") : ord("9") + 1] = _DIGIT
    for first, last in _SIGNS:
        kinds[first : last + 1] = _SIGN
    return kinds


@functools.cache
def _sizes() -> Array:
    """How many bytes each character has. 1 for half a surrogate pair: it stands for a byte."""
    sizes = np.full(sys.maxunicode + 1, 4, np.uint8)
    sizes[:0x10000] = 3
    sizes[:0x800] = 2
    sizes[:0x80] = 1
    sizes[0xD800:0xE000] = 1
    return sizes
