"""The BPE tokenizer: learned from texts, ids and back, and what it refuses."""

from __future__ import annotations

import functools
import re
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import TEXTS

from teenygpt_np.errors import InputError
from teenygpt_np.text import bpe, words
from teenygpt_np.text.bpe import BYTE_ORDER, LONGEST, MOST_VOCAB, BpeTokenizer, word_counts

ALL = list(TEXTS.values())
ANY = st.one_of(st.text(max_size=30), st.sampled_from(ALL).map(lambda text: text[20:70]))


@functools.cache
def tokenizer_of(texts: Literal["lines", "running"]) -> BpeTokenizer:
    return BpeTokenizer.fitted(ALL, running=texts == "running", vocab_size=400)


def test_ids() -> None:
    """Bytes, then merges in their order, then what stands for no text."""
    tokenizer = BpeTokenizer(running=True, merges=((97, 98), (256, 99)))
    assert (tokenizer.end, tokenizer.pad, tokenizer.begin) == (258, 258, 259)
    assert tokenizer.num_token_vals == 260
    ids, lengths = tokenizer.encode(["abc abab", "", "é"])
    assert ids.tolist() == [257, 32, 256, 256, 0xC3, 0xA9]
    assert lengths.tolist() == [4, 0, 2]
    assert ids.dtype == np.uint16
    assert tokenizer.encode([])[0].dtype == np.uint16
    assert tokenizer.signs([257, 32, 10, 0xC3, 258, 259]) == ["abc", "␣", "␊", r"\xc3", "⏎", "▷"]
    assert tokenizer.decode([259, 257, 258, 256]) == "abc"


@given(texts=st.lists(ANY, max_size=4))
@settings(max_examples=100)
def test_decode_undoes_encode(backend: str, texts: list[str]) -> None:
    running = tokenizer_of("running")
    ids, lengths = running.encode(texts)
    assert running.decode(ids) == "".join(texts)
    parts = np.split(ids, np.cumsum(lengths)) if texts else []
    assert [running.decode(part) for part in parts[: len(texts)]] == texts
    # Each text's ids are its own, whatever stands beside it.
    alone = [running.encode([text])[0].tolist() for text in texts]
    assert [part.tolist() for part in parts[: len(texts)]] == alone


@given(st.binary(max_size=20))
def test_a_prompt_of_any_bytes(data: bytes) -> None:
    running = tokenizer_of("running")
    ids = running.encode_prompt("x" + data.decode("utf-8", "surrogateescape"))
    assert b"".join(running.pieces[i] for i in ids) == b"x" + data
    assert ids.dtype == np.int64


def test_prompts() -> None:
    lines = tokenizer_of("lines")
    assert tokenizer_of("running").encode_prompt("").tolist() == [10]
    assert lines.encode_prompt("").tolist() == [lines.begin]
    assert lines.encode_prompt("und").tolist() == [lines.begin, *lines.encode(["und"])[0]]


@given(st.sampled_from(ALL), st.integers(1, 40))
def test_chunks_are_encoded_as_the_whole(text: str, size: int) -> None:
    """As a file is read: a chunk, cut where it may be, and what is left before the next one."""
    running = tokenizer_of("running")
    ids: list[int] = []
    rest = ""
    for start in range(0, len(text), size):
        rest += text[start : start + size]
        cut = running.settled(rest)
        ids += running.encode([rest[:cut]])[0].tolist()
        rest = rest[cut:]
    ids += running.encode([rest])[0].tolist()
    assert ids == running.encode([text])[0].tolist()


def test_blocks_are_encoded_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    running = tokenizer_of("running")
    texts = ["".join(ALL), "", *ALL]
    ids, lengths = running.encode(texts)
    monkeypatch.setattr(words, "_BLOCK", 50)
    in_blocks = running.encode(texts)
    assert in_blocks[0].tolist() == ids.tolist()
    assert in_blocks[1].tolist() == lengths.tolist()
    assert BpeTokenizer.fitted(ALL, running=True, vocab_size=400) == running


def test_names_of_special_ids_are_text() -> None:
    running = tokenizer_of("running")
    text = "<|end|><|begin|> ⏎▷"
    ids, _ = running.encode([text])
    assert max(ids) < running.end
    assert running.decode(ids) == text


@given(ANY)
def test_sizes_add_up_to_the_text(text: str) -> None:
    running = tokenizer_of("running")
    characters, sizes = running.sizes
    assert len(characters) == len(sizes) == running.num_token_vals
    ids, _ = running.encode([text])
    assert (characters[ids].sum(), sizes[ids].sum()) == (len(text), len(text.encode()))


def test_tokens_save_ids() -> None:
    running = tokenizer_of("running")
    ids, _ = running.encode(ALL)
    assert running.num_token_vals == 400
    assert len(ids) < 0.7 * len("".join(ALL).encode())


def test_lines_learn_from_what_they_are_folded_to() -> None:
    texts = ["  ab\t\tab  ", "ab\u00a0ab"] * 2
    lines = BpeTokenizer.fitted(texts, running=False, vocab_size=260)
    assert lines.merges == ((97, 98), (32, 256))
    folded = lines.fold(texts[0])
    assert (folded.text, folded.changed) == ("ab ab", True)


# -- what is counted -------------------------------------------------------------------------------


def test_counts(backend: str) -> None:
    assert word_counts(["to be, or not to be", " to"]) == {
        b"to": 1, b" be": 2, b",": 1, b" or": 1, b" not": 1, b" to": 2,
    }  # fmt: skip


def test_long_words_are_counted_in_pieces() -> None:
    counts = word_counts(["a" * (2 * LONGEST + 3) + " b", "=" * LONGEST])
    assert counts == {b"a" * LONGEST: 2, b"aaa": 1, b" b": 1, b"=" * LONGEST: 1}
    tokenizer = BpeTokenizer.fitted(["a" * 5000], running=True, vocab_size=266)
    assert max(map(len, tokenizer.pieces)) == LONGEST
    assert tokenizer.decode(tokenizer.encode(["a" * 999])[0]) == "a" * 999


def test_rare_words_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many words: those that came least often, of them those that came last."""
    monkeypatch.setattr(bpe, "MOST_DISTINCT", 10)
    monkeypatch.setattr(words, "_BLOCK", 1)
    assert word_counts(["ab", "cd", "ef", "gh", "gh"]) == {b"ab": 1, b"cd": 1, b"ef": 1, b"gh": 2}
    assert word_counts(["ab", "cd", "ef", "gh", "gh", "ij", "kl"]) == {b"gh": 2, b"ab": 1, b"cd": 1}


def test_byte_order_is_a_permutation() -> None:
    assert sorted(BYTE_ORDER) == list(range(256))
    assert BYTE_ORDER[:2] == [0x21, 0x22]
    assert BYTE_ORDER[-1] == 0xAD


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vocab_size", "texts", "message"),
    [
        (258, ALL, "--vocab-size is 258, wanted 259 to 65,536: the 256 bytes, "),
        (MOST_VOCAB + 1, ALL, "--vocab-size is 65,537, wanted 259 to 65,536: the 256 bytes, "),
        (400, ["abab"], "--vocab-size is 400, and the text has only 1 different pairs to merge "),
        (400, ["abab"], "that come more than once; wanted at most 259"),
        (400, ["abc"], "has only 0 different pairs to merge that come more than once; wanted more"),
        (400, [], "wanted more text"),
    ],
)
def test_a_vocabulary_that_does_not_fit(vocab_size: int, texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        BpeTokenizer.fitted(texts, running=True, vocab_size=vocab_size)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([], "0 merges, wanted 1 to 65,278"),
        ([(1, 2)] * (MOST_VOCAB - 257), "65,279 merges, wanted 1 to 65,278"),
        ([(1, 256)], "merge 0 is of 1 and 256, wanted ids in 0..255"),
        ([(1, 2), (-1, 2)], "merge 1 is of -1 and 2, wanted ids in 0..256"),
        ([(1, 2), (1, 2)], "merge 1 makes the same token as merge 0"),
        ([(1, 2), (2, 3), (256, 3), (1, 257)], "merge 3 makes the same token as merge 2"),
        (
            [(7, 7), *((i, i) for i in range(256, 264))],
            "merge 8 makes 512 bytes, wanted at most 256",
        ),
    ],
)
def test_merges_refused(merges: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        BpeTokenizer(merges=tuple(merges))


def test_a_description_makes_the_same_tokenizer() -> None:
    lines = tokenizer_of("lines")
    running = tokenizer_of("running")
    for tokenizer in (lines, running):
        again = BpeTokenizer.from_description(tokenizer.description())
        assert again == tokenizer
        assert again.encode(ALL)[0].tolist() == tokenizer.encode(ALL)[0].tolist()
    assert lines != running
    described = BpeTokenizer(merges=((97, 98), (256, 99))).description()
    assert described == {"kind": "bpe", "running": False, "merges": "97 98\n256 99"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"merges": None}, TypeError, "merges are NoneType, wanted a text"),
        ({"merges": [[97, 98]]}, TypeError, "merges are list, wanted a text"),
        ({"merges": ""}, InputError, "0 merges, wanted 1 to"),
        ({"merges": "97"}, ValueError, "not enough values"),
        ({"merges": "97 98 99"}, ValueError, "too many values"),
        ({"merges": "97 b"}, ValueError, "invalid literal"),
        ({"merges": "97 98\n9 300"}, InputError, "merge 1 is of 9 and 300"),
        ({"running": "yes"}, TypeError, "running is 'yes', wanted true or false"),
    ],
)
def test_descriptions_refused(
    change: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        BpeTokenizer.from_description({**tokenizer_of("running").description(), **change})
