"""The kinds of tokenizer, by their name in a run's config.json."""

from __future__ import annotations

from typing import Any

from teenygpt_np.text.bpe import BpeTokenizer
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.tokenizer import Tokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    kind.kind: kind for kind in (CharacterTokenizer, ByteTokenizer, BpeTokenizer)
}


def described_tokenizer(description: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `Tokenizer.description` described.

    Raises KeyError, TypeError or ValueError if it describes no tokenizer.
    """
    kind = description["kind"]
    if kind not in TOKENIZERS:
        raise ValueError(f"tokenizer is {kind!r}, wanted one of {', '.join(TOKENIZERS)}")
    return TOKENIZERS[kind].from_description(description)
