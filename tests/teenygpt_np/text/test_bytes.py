"""The byte tokenizer: bytes and back, for any text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.errors import InputError
from teenygpt_np.text.batches import Rows
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.folding import tidy

LINES, RUNNING = ByteTokenizer(), ByteTokenizer(running=True)
TEXTS = st.text(max_size=30)  # any characters but halves of surrogate pairs


def test_ids_are_bytes() -> None:
    assert (LINES.end, LINES.pad, LINES.begin, LINES.num_token_vals) == (256, 256, 257, 258)
    ids, lengths = RUNNING.encode(["é\n", "", "a"])
    assert ids.tolist() == [0xC3, 0xA9, 10, 97]
    assert lengths.tolist() == [3, 0, 1]
    assert ids.dtype == np.uint16
    assert lengths.dtype == np.int64
    assert [array.tolist() for array in RUNNING.encode([])] == [[], []]


@given(st.lists(TEXTS, max_size=5))
def test_decode_undoes_encode(texts: list[str]) -> None:
    ids, lengths = RUNNING.encode(texts)
    assert RUNNING.decode(ids) == "".join(texts)
    ends = np.cumsum(lengths)
    assert [RUNNING.decode(part) for part in np.split(ids, ends)][: len(texts)] == texts


@given(st.binary(max_size=20))
def test_a_text_of_any_bytes(data: bytes) -> None:
    """As a command line has them."""
    text = data.decode("utf-8", "surrogateescape")
    folded = RUNNING.fold(text)
    assert (folded.text, folded.changed, folded.replaced) == (text, False, {})
    assert bytes(RUNNING.encode([folded.text])[0].tolist()) == data


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(2, 9))
def test_rows_are_texts_between_begin_and_end(texts: list[str], num_tokens: int) -> None:
    rows = Rows.of(texts, LINES, num_tokens)
    ids = rows.whole_batch(rows.in_order).ids.tolist()
    for text, row, length in zip(texts, ids, rows.lengths.tolist(), strict=True):
        data = list(text.encode())
        assert row == [257, *data, *[256] * num_tokens][:num_tokens]
        assert length == min(len(data) + 2, num_tokens)


@given(st.lists(st.integers(0, 257), max_size=12))
def test_every_row_of_ids_is_a_text(ids: list[int]) -> None:
    before_end = [i for i in (ids[: ids.index(256)] if 256 in ids else ids) if i < 256]
    assert RUNNING.decode(ids) == bytes(before_end).decode("utf-8", "replace")
    assert len(RUNNING.signs(ids)) == len(ids)


@given(TEXTS)
def test_sizes_add_up_to_the_text(text: str) -> None:
    ids, _ = RUNNING.encode([text])
    characters, sizes = RUNNING.sizes
    assert characters[ids].sum() == len(text)
    assert sizes[ids].sum() == len(text.encode())


def test_sizes_of_what_is_no_byte() -> None:
    """An end is counted as the newline that it is in a file; the beginning is nothing."""
    assert [(size[256], size[257]) for size in RUNNING.sizes] == [(1, 0), (1, 0)]


def test_prompts() -> None:
    assert LINES.encode_prompt("a").tolist() == [257, 97]
    assert LINES.encode_prompt("").tolist() == [257]
    assert RUNNING.encode_prompt("a").tolist() == [97]
    assert RUNNING.encode_prompt("").tolist() == [10]
    assert RUNNING.encode_prompt("\udcff").dtype == np.int64


@given(TEXTS)
def test_lines_are_tidied_and_running_text_is_kept(text: str) -> None:
    assert LINES.fold(text).text == tidy(text)
    assert LINES.fold(text).changed == (tidy(text) != text)
    assert (RUNNING.fold(text).text, RUNNING.fold(text).changed) == (text, False)


def test_half_a_surrogate_pair() -> None:
    folded = RUNNING.fold("a\ud800b\ud800\udcff")
    assert (folded.text, folded.replaced) == ("a\ufffdb\ufffd\udcff", {"\ud800": 2})
    assert (folded.changed, folded.gap) == (True, "\ufffd")
    with pytest.raises(InputError, match=r"^character '\\ud800' at 1 of text 1 is half of a"):
        RUNNING.encode(["", "a\ud800"])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 258], "token id 258 at [1] is outside 0..257"),
        ([256, -1], "token id -1 at [1] is outside 0..257"),
        ([1.0], "ids must be integers along one axis, got float64 of shape (1,)"),
        ([[1]], "ids must be integers along one axis, got int64 of shape (1, 1)"),
    ],
)
def test_decode_refuses(ids: list[object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        RUNNING.decode(np.array(ids))


def test_signs() -> None:
    shown = RUNNING.signs([97, 32, 10, 0, 127, 0xC3, 256, 257])
    assert shown == ["a", "␣", "␊", "␀", "␡", r"\xc3", "⏎", "▷"]


def test_bytes_may_be_cut_anywhere() -> None:
    assert RUNNING.settled("any text") == 8


def test_a_description_makes_the_same_tokenizer() -> None:
    for tokenizer in (LINES, RUNNING):
        assert ByteTokenizer.from_description(tokenizer.description()) == tokenizer
        fitted = ByteTokenizer.fitted(["x"], running=tokenizer.running)
        assert fitted == tokenizer
    assert LINES != RUNNING
    with pytest.raises(KeyError, match="running"):
        ByteTokenizer.from_description({})
    with pytest.raises(TypeError, match="running is 1, wanted true or false"):
        ByteTokenizer.from_description({"running": 1})
