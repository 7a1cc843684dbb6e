"""Bringing any text into an alphabet: accents, capitals, white space."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Folded:
    """A text brought into an alphabet, and what that took.

    changed: whether the text differs from the original, or how many of several do.
    replaced: the characters that the alphabet lacks, with the number of times (white space not
    included).    gap: what they became, ' ', or '' if they were left out
    """

    text: str
    changed: int
    replaced: dict[str, int]
    gap: str = " "


class Table(dict[int, str]):
    """What each character becomes, for str.translate; computed when a character is first met."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = self._rule(chr(code))
        return self[code]


def is_blank(character: str) -> bool:
    """Whether a character is white space, a control character, or half of a surrogate pair."""
    # Cs: half a surrogate pair, which JSON can spell and no output can print.
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cs")


_TIDY = Table(lambda character: " " if is_blank(character) else character)


def collapse(text: str) -> str:
    """Make each run of spaces one space, and remove spaces at the ends."""
    # Each pass halves the runs, at C speed; split() would be slower, with an object per word.
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip(" ")


def tidy(text: str) -> str:
    """Compose accents (NFC); each run of white space and control characters becomes one space."""
    return collapse(unicodedata.normalize("NFC", text).translate(_TIDY))


# Letters without a decomposition, as people spell them in plain letters.
_WRITTEN = {
    "æ": "ae",
    "œ": "oe",
    "ð": "d",
    "þ": "th",
    "\u0131": "i",  # without a dot
    "ȷ": "j",
    "ŋ": "ng",
    "ĸ": "k",
    "ə": "e",
    "ǝ": "e",
    "ɛ": "e",
    "ɔ": "o",
    "\u0263": "g",  # gamma
    "ƣ": "gh",
    "ʒ": "zh",
    "ʃ": "sh",
    "ʉ": "u",
    "\u0269": "i",  # iota
}
# The Latin letters with a stroke, a hook or a tail: Unicode's names say which letter has it.
_WITH = re.compile(r"LATIN SMALL LETTER ([A-Z]) WITH ")


def written(character: str) -> str:
    """A lower-case letter in plain letters, such as `l` for `ł`; any other character itself.

    ß needs no entry, because case-folding makes it ss.
    """
    letter = _WITH.match(unicodedata.name(character, ""))
    return letter[1].lower() if letter else _WRITTEN.get(character, character)


def without_marks(text: str) -> str:
    """The compatible decomposition (NFKD) without its combining marks: 'é' as 'e', 'ﬁ' as 'fi'."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))
