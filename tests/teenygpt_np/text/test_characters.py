"""The character tokenizer: ids and back, and folding any text into an alphabet."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teenygpt_np.errors import InputError
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.characters import ARTICLE, MAX_CHARACTERS, CharacterTokenizer
from teenygpt_np.text.folding import tidy
from teenygpt_np.text.tokenizers import described_tokenizer

TOKENIZER = CharacterTokenizer()
WORDS = st.text(alphabet=ARTICLE, max_size=40)
# Accented, wide, ligature, control, half a surrogate pair, combining: where folding could go wrong.
ODD = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("aZ \t\0éÉßİ\u017fﬁ½…\u0301\u0345\ud800\u00a0\u2028\u200bÅ\u00b4ªκΣ가"),
    ),
    max_size=30,
)


def own_alphabet(lines: list[str]) -> CharacterTokenizer:
    return CharacterTokenizer.fitted(lines, running=False, alphabet="corpus")


def test_the_article_s_ids() -> None:
    assert (TOKENIZER.pad, TOKENIZER.begin, TOKENIZER.end) == (0, 28, 0)
    assert TOKENIZER.num_token_vals == 29
    assert TOKENIZER.characters == ARTICLE
    ids, counts = TOKENIZER.encode(["az b"])
    assert (ids.tolist(), counts.tolist()) == ([1, 26, 27, 2], [4])
    assert ids.dtype == np.uint8
    assert TOKENIZER == CharacterTokenizer(ARTICLE) != CharacterTokenizer("ab")


@given(WORDS)
def test_decode_undoes_row(text: str) -> None:
    ids = TOKENIZER.row(text)
    assert (ids[0], ids[-1], len(ids)) == (28, 0, len(text) + 2)
    assert TOKENIZER.decode(ids) == text


@given(st.lists(WORDS, max_size=8))
def test_many_texts_are_each_of_them_in_turn(lines: list[str]) -> None:
    ids, counts = TOKENIZER.encode(lines)
    assert counts.tolist() == [len(line) for line in lines]
    assert ids.tolist() == [i for line in lines for i in TOKENIZER.row(line)[1:-1]]


@pytest.mark.parametrize(("number", "dtype"), [(254, np.uint8), (255, np.uint16)])
def test_ids_take_as_few_bytes_as_they_can(number: int, dtype: type) -> None:
    tokenizer = CharacterTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + number))))
    last = tokenizer.encode([tokenizer.characters[-1]])[0]
    assert last.dtype == dtype
    assert last.tolist() == [number]


@given(WORDS)
def test_a_prompt_has_no_pads(text: str) -> None:
    ids = TOKENIZER.encode_prompt(text)
    assert ids.tolist() == [28, *(ARTICLE.index(c) + 1 for c in text)]


def test_decode_stops_at_the_first_pad_and_skips_begin() -> None:
    assert TOKENIZER.decode([28, 1, 28, 2, 0, 3]) == "ab"
    assert TOKENIZER.decode([]) == ""
    assert TOKENIZER.decode(np.array([1, 2], np.uint8)) == "ab"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 29], "token id 29 at [1] is outside 0..28"),
        ([0, -1], "token id -1 at [1] is outside 0..28"),
        ([1.0], "ids must be integers along one axis, got float64 of shape (1,)"),
        ([[1]], "ids must be integers along one axis, got int64 of shape (1, 1)"),
        ([10**30], "ids must be integers along one axis, got object"),
    ],
)
def test_decode_refuses(ids: list[object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        TOKENIZER.decode(np.array(ids))


def test_encode_names_the_character_and_its_place() -> None:
    shown = re.escape(repr(ARTICLE))
    with pytest.raises(InputError, match=f"^character 'é' at 3 is outside the alphabet {shown}$"):
        TOKENIZER.encode_prompt("caféteria")
    with pytest.raises(InputError, match="character 'B' at 1 is outside"):
        TOKENIZER.encode(["aB"])
    with pytest.raises(InputError, match="character '!' at 1 of line 3 is outside"):
        TOKENIZER.encode(["ab", "", "a!", "?"])
    with pytest.raises(InputError, match=r"character '\\udc80' at 0 is outside"):
        TOKENIZER.encode_prompt("\udc80")
    many = CharacterTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + 200))))
    with pytest.raises(InputError, match="character 'a' at 0 is outside the alphabet of 200 char"):
        many.encode_prompt("a")


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        ("", "at least one character, got none"),
        ("aba", "character 'a' at 2 is already in the alphabet"),
        ("a\t", r"character '\\t' at 1 cannot be in an alphabet"),
        ("a\u00a0", r"character '\\xa0' at 1 cannot be in an alphabet"),
    ],
)
def test_an_alphabet_is_refused(characters: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CharacterTokenizer(characters)


# -- folding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Paris: 1,000 Días!", "paris dias"),
        ("cafe\u0301 Élan", "cafe elan"),
        ("Straße ﬁnal İstanbul Å", "strasse final istanbul a"),
        ("\0a\t\r\nb\u00a0c\u2028", "a b c"),
        ("it's", "it s"),
        ("\uff11 \uff21", "a"),
        ("中文", ""),
        ("", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert TOKENIZER.fold(text).text == folded


def test_fold_counts_what_became_spaces() -> None:
    folded = TOKENIZER.fold("Où? …\tOù?! ½ cafe\u0301")
    assert folded.changed
    assert folded.replaced == {"?": 2, "…": 1, "!": 1, "½": 1}
    untouched = TOKENIZER.fold("plain words")
    assert (untouched.changed, untouched.replaced) == (False, {})
    assert TOKENIZER.fold(" Plain").changed


@given(ODD)
@settings(max_examples=300)
def test_any_text_folds_into_the_alphabet_once(text: str) -> None:
    folded = TOKENIZER.fold(text)
    assert set(folded.text) <= set(ARTICLE)
    assert "  " not in folded.text
    assert folded.text == folded.text.strip()
    assert folded.changed == (folded.text != text)
    again = TOKENIZER.fold(folded.text)
    assert (again.text, again.changed, again.replaced) == (folded.text, False, {})
    assert TOKENIZER.decode(TOKENIZER.encode_prompt(folded.text)) == folded.text


@given(ODD)
def test_fold_does_not_see_how_accents_are_spelt(text: str) -> None:
    assert TOKENIZER.fold(text).text == TOKENIZER.fold(unicodedata.normalize("NFD", text)).text


@given(st.lists(ODD, min_size=1, max_size=5))
def test_a_corpus_alphabet_loses_only_white_space_and_control(lines: list[str]) -> None:
    lines.append("x")
    tokenizer = own_alphabet(lines)
    assert list(tokenizer.characters) == sorted(set(tokenizer.characters))
    for line in lines:
        folded = tokenizer.fold(line)
        assert folded.text == tidy(line)
        assert tokenizer.fold(folded.text).changed is False
        assert tokenizer.decode(tokenizer.encode_prompt(folded.text)) == folded.text


def test_a_corpus_alphabet_composes_accents() -> None:
    tokenizer = own_alphabet(["Cafe\u0301\t \0Où", "a\u200b"])
    assert tokenizer.characters == " COaféù\u200b"
    assert tokenizer.fold("Cafe\u0301\t \0Où").text == "Café Où"


def test_an_alphabet_without_space_gains_none() -> None:
    assert CharacterTokenizer("abc").fold("a b!C").text == "abc"


def test_a_corpus_alphabet_has_a_limit() -> None:
    line = "".join(map(chr, range(0x4E00, 0x4E00 + MAX_CHARACTERS)))
    assert own_alphabet([line]).num_token_vals == MAX_CHARACTERS + 2
    with pytest.raises(InputError, match="at most 20,000 characters, got 20,001"):
        own_alphabet([line, "a"])
    with pytest.raises(InputError, match="at least one character, got none"):
        own_alphabet([" ", "\t"])


def test_what_each_id_is_shown_as() -> None:
    assert TOKENIZER.signs([28, 1, 27, 0]) == ["▷", "a", "␣", "⏎"]


def test_a_description_makes_the_same_tokenizer() -> None:
    for tokenizer in (TOKENIZER, CharacterTokenizer("éa")):
        assert described_tokenizer(tokenizer.description()) == tokenizer


@pytest.mark.parametrize(
    ("description", "error", "message"),
    [
        ({}, KeyError, "kind"),
        ({"kind": "words"}, ValueError, "tokenizer is 'words', wanted one of characters"),
        ({"kind": []}, TypeError, "unhashable"),
        ({"kind": "characters"}, KeyError, "characters"),
        ({"kind": "characters", "characters": 3}, TypeError, "characters are int, wanted a text"),
        ({"kind": "characters", "characters": "aa"}, InputError, "is already in the alphabet"),
    ],
)
def test_descriptions_refused(
    description: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        described_tokenizer(description)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Łódź beats Białystok", "lodz beats bialystok"),
        ("Ærø, Øresund", "aero oresund"),
        ("cœur, straße", "coeur strasse"),
        ("Đà Nẵng", "da nang"),
        ("Þórður og Guðrún", "thordur og gudrun"),
        ("Diyarbak\u0131r", "diyarbakir"),
        ("Għajnsielem", "ghajnsielem"),
        ("Ɓɛlɛ ɗan Ƙano, ƴaɲ", "bele dan kano yan"),
        ("Ƀȼɨƶ Ɫ Ɔ", "bciz l o"),
    ],
)
def test_letters_without_a_decomposition_cut_no_word(text: str, folded: str) -> None:
    assert TOKENIZER.fold(text).text == folded
    assert own_alphabet([text]).fold(text).text == text


def test_what_becomes_of_unknown_characters_is_told() -> None:
    assert (TOKENIZER.fold("a?b").text, TOKENIZER.fold("a?b").gap) == ("a b", " ")
    folded = CharacterTokenizer("ab").fold("a?b")
    assert (folded.text, folded.gap, folded.replaced) == ("ab", "", {"?": 1})


@given(st.lists(ODD, max_size=6), st.sampled_from([ARTICLE, "abc", " aé\u200b"]))
def test_lines_are_folded_together_as_one_by_one(lines: list[str], alphabet: str) -> None:
    tokenizer = CharacterTokenizer(alphabet)
    texts, took = tokenizer.fold_lines(lines)
    each = [tokenizer.fold(line).text for line in lines]
    assert texts == each
    assert took.changed == sum(text != line for text, line in zip(each, lines, strict=True))
    assert took.replaced == sum(
        (Counter(tokenizer.fold(line).replaced) for line in lines), Counter()
    )


@pytest.mark.parametrize(("alphabet", "start"), [("ab\n ", "\n"), ("ab ", " "), ("ba", "b")])
def test_what_stands_for_no_prompt_in_running_text(alphabet: str, start: str) -> None:
    tokenizer = CharacterTokenizer(alphabet, running=True)
    assert tokenizer.decode(tokenizer.encode_prompt("")) == start


def test_a_part_of_a_text_keeps_the_spaces_where_it_meets_others() -> None:
    for tokenizer in (TOKENIZER, CharacterTokenizer(running=True), ByteTokenizer(running=True)):
        assert tokenizer.fold_part("king ").text == "king "
        assert tokenizer.fold_part(" plans ", goes_on=True).text == " plans "
        begun = tokenizer.fold_part(" king").text
        assert begun == (" king" if tokenizer.running else "king")
    assert TOKENIZER.fold_part(" ", goes_on=True).text == " "
