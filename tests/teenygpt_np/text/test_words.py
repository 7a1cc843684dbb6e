"""Words: as the regular expression has them, and chunks of a text as the whole."""

from __future__ import annotations

import re
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teenygpt_np.text import words
from teenygpt_np.text.words import PATTERN, blocks, last_cut, words_of

# What the rule tells apart, and the ends of its ranges; and any character.
CHARACTERS = st.one_of(
    st.sampled_from(
        "ab é中\u0301\u200d'\u2019019 \t\n\r\xa0\u3000.,-!/:[`{\xbf\xd7،।\u2bff、😀\0\x7f"
    ),
    st.sampled_from("   \n\n\t"),
    st.characters(codec="utf-8"),
)
TEXTS = st.text(CHARACTERS, max_size=25)


def split(text: str) -> list[str]:
    """The words of one text, by `words_of`."""
    found = words_of([text])
    data = found.data.tobytes()
    return [data[a:b].decode() for a, b in pairwise(found.starts.tolist())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So, 12  apples\n", ["So", ",", " 12", " ", " apples", "\n"]),
        ("don't 'tis", ["don't", " 'tis"]),
        ("a\n\n\nb", ["a", "\n\n", "\n", "b"]),
        ("x  ", ["x", "  "]),
        ("é 中文。“b”…", ["é", " 中文", "。“", "b", "”…"]),
        ("नमस्ते।", ["नमस्ते", "।"]),
        ("\u00a0a 😀😀", ["\u00a0", "a", " 😀😀"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert split(text) == expected == re.findall(PATTERN, text)


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=300)
def test_words_are_those_of_the_pattern(texts: list[str]) -> None:
    """In texts side by side, of which none knows of the next one."""
    found = words_of(texts)
    expected = [re.findall(PATTERN, text) for text in texts]
    assert found.texts.tolist() == [len(each) for each in expected]
    data = found.data.tobytes()
    assert data == "".join(texts).encode()
    starts = [0]
    for word in chain(*expected):
        starts.append(starts[-1] + len(word.encode()))
    assert found.starts.tolist() == starts


def test_a_text_ends_its_words() -> None:
    """White space at its end is one word, whatever the next text begins with."""
    found = words_of(["a \n", "b", "b", "", " "])
    assert found.starts.tolist() == [0, 1, 3, 4, 5, 6]
    assert found.texts.tolist() == [2, 1, 1, 0, 1]


def test_a_byte_that_is_no_utf8_is_part_of_a_word() -> None:
    found = words_of(["é \udcff\udcfe.", "b"])
    assert found.data.tobytes() == b"\xc3\xa9 \xff\xfe.b"
    assert found.starts.tolist() == [0, 2, 5, 6, 7]


@given(TEXTS, TEXTS)
@settings(max_examples=300)
def test_what_follows_does_not_move_a_cut(text: str, rest: str) -> None:
    cut = last_cut(text)
    assert 0 <= cut <= len(text)
    assert split(text[:cut]) + split(text[cut:] + rest) == split(text + rest)


def test_where_a_cut_is() -> None:
    assert last_cut("one two") == 3
    assert last_cut("one  \n two") == 3
    assert last_cut("one\n") == 3
    assert [last_cut(text) for text in ("", "one", " \n ", "\n\none")] == [0, 0, 0, 0]
    long = "a." + "b" * 5000
    assert last_cut(long) == 2  # far from the end


@given(st.lists(TEXTS, max_size=5), st.integers(1, 12))
def test_blocks_are_the_texts(texts: list[str], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_BLOCK", size)
        found = list(blocks(texts))
    pieces = [piece for block, _ in found for piece in block]
    places = [place for _, block in found for place in block]
    for place, text in enumerate(texts):
        own = [piece for piece, of in zip(pieces, places, strict=True) if of == place]
        assert "".join(own) == text
        assert [word for piece in own for word in split(piece)] == split(text)
    assert places == sorted(places)
    for block, _ in found[:-1]:
        assert sum(map(len, block)) >= size
        assert sum(map(len, block[:-1])) < size


def test_a_block_ends_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_BLOCK", 8)
    texts = ["one two three", "x" * 40 + " y", "z"]
    assert [block for block, _ in blocks(texts)] == [
        ["one two", " three"],
        ["x" * 40 + " y"],
        ["z"],
    ]
