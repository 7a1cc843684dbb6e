"""tokenizer.json: out and in again, and read by the package that it is for."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import TEXTS

from teenygpt_np.errors import InputError
from teenygpt_np.text.bpe import BYTE_ORDER, BpeTokenizer
from teenygpt_np.text.tokenizer_json import BEGIN, END, from_json, to_json
from teenygpt_np.text.words import PATTERN

ALL = list(TEXTS.values())


@functools.cache
def tokenizer() -> BpeTokenizer:
    return BpeTokenizer.fitted(ALL, running=True, vocab_size=400)


def peer() -> Any:
    """The file read by HF tokenizers."""
    return hf().Tokenizer.from_str(to_json(tokenizer()))


def hf() -> Any:
    return pytest.importorskip("tokenizers", reason="of the extra `bench`")


@pytest.mark.parametrize("name", TEXTS)
def test_the_package_has_the_same_ids(name: str) -> None:
    text = TEXTS[name]
    ids = tokenizer().encode([text])[0].tolist()
    assert peer().encode(text).ids == ids
    assert peer().decode(ids) == text


@given(text=st.text(max_size=40))
@settings(max_examples=100)
def test_the_package_has_the_same_ids_of_any_text(text: str) -> None:
    assert peer().encode(text).ids == tokenizer().encode([text])[0].tolist()


@pytest.mark.parametrize("vocab_size", [300, 500, 544])
def test_the_package_learns_the_same_merges(vocab_size: int) -> None:
    """Up to the last pair that comes twice, among which are many ties."""
    package = hf()
    pre = package.pre_tokenizers
    other = package.Tokenizer(package.models.BPE())
    other.pre_tokenizer = pre.Sequence(
        [
            pre.Split(package.Regex(PATTERN), "isolated"),
            pre.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = package.trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        min_frequency=2,
        initial_alphabet=pre.ByteLevel.alphabet(),
        show_progress=False,
    )
    other.train_from_iterator(ALL, trainer)
    mine = BpeTokenizer.fitted(ALL, running=True, vocab_size=vocab_size)
    # It numbers the bytes in another order.
    number = [*BYTE_ORDER, *range(256, vocab_size)]
    for text in ALL:
        expected = [number[i] for i in other.encode(text).ids]
        assert mine.encode([text])[0].tolist() == expected
    assert from_json(other.to_str(), running=True) == mine


def test_special_ids_are_known_by_name_and_not_found_in_text() -> None:
    assert peer().token_to_id(END) == tokenizer().end
    assert peer().token_to_id(BEGIN) == tokenizer().begin
    assert max(peer().encode(END + BEGIN).ids) < tokenizer().end


def test_out_and_in() -> None:
    for running in (True, False):
        again = from_json(to_json(tokenizer()), running=running)
        assert again == BpeTokenizer(running, tokenizer().merges)
    content = json.loads(to_json(BpeTokenizer(merges=((32, 98), (0xC3, 0xA9)))))
    vocab, merges = content["model"]["vocab"], content["model"]["merges"]
    assert merges == [["Ġ", "b"], ["Ã", "©"]]
    assert [vocab[token] for token in ("a", "Ġ", "Ġb", "Ã©", END, BEGIN)] == [
        97, 32, 256, 257, 258, 259,
    ]  # fmt: skip


def test_merges_as_older_versions_wrote_them() -> None:
    content = json.loads(to_json(tokenizer()))
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    assert from_json(json.dumps(content), running=True) == tokenizer()


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[]", '{"model": null}'])
def test_files_that_are_something_else(content: str) -> None:
    with pytest.raises(InputError, match=r"^this is no tokenizer\.json of byte-level BPE"):
        from_json(content, running=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("pre_tokenizer"), "pre_tokenizer"),
        (lambda c: c.update(normalizer={"type": "NFC"}), "has its own normalizer; wanted"),
        (lambda c: c["pre_tokenizer"]["pretokenizers"].pop(), "its own pre_tokenizer"),
        (lambda c: c["model"].update(type="Unigram"), "has its own type; wanted"),
        (lambda c: c["model"].update(dropout=0.1), "has its own dropout; wanted"),
        (lambda c: c["model"].update(merges=[["a", "zz"]]), "KeyError('zz')"),
        (lambda c: c["model"].update(merges=["a b c"]), "too many values to unpack"),
        (lambda c: c["model"].update(merges=[["a", "b"]] * 2), "the same token as merge"),
        (lambda c: c["model"].update(merges=[]), "0 merges, wanted"),
    ],
)
def test_files_refused(change: Callable[[Any], Any], message: str) -> None:
    content = json.loads(to_json(tokenizer()))
    change(content)
    with pytest.raises(InputError) as caught:
        from_json(json.dumps(content), running=True)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
