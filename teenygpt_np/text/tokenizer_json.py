"""A BPE tokenizer as `tokenizer.json`, the file of HF `tokenizers`, in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from teenygpt_np.errors import InputError
from teenygpt_np.text.bpe import SHOWN, BpeTokenizer
from teenygpt_np.text.words import PATTERN

END, BEGIN = "<|end|>", "<|begin|>"
_PRE_TOKENIZER = {
    "type": "Sequence",
    "pretokenizers": [
        {
            "type": "Split",
            "pattern": {"Regex": PATTERN},
            "behavior": "Isolated",
            "invert": False,
        },
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    ],
}
# The file spells a byte as one character: as Latin-1 shows it, or else as U+0100 and on.
_HIDDEN = [byte for byte in range(256) if byte not in SHOWN]
_SPELT = {byte: chr(byte) for byte in SHOWN} | {b: chr(256 + n) for n, b in enumerate(_HIDDEN)}
# What would change a text before it is cut into words, or the ids of a word.
_NOTHING = ("normalizer", "post_processor", "truncation", "padding")
_PLAIN = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")
_LARGEST = 1 << 24  # characters
_WANTED = "byte-level BPE with the words of `teenygpt_np/text/words.py`"


def to_json(tokenizer: BpeTokenizer) -> str:
    """The file's content, which gives the same ids there.

    `end` and `begin` are in the vocabulary, but no "added tokens", which would be found in texts.
    """
    tokens = ["".join(_SPELT[byte] for byte in piece) for piece in tokenizer.pieces]
    vocab = {token: number for number, token in enumerate([*tokens, END, BEGIN])}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    content: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZER,
        "post_processor": None,
        "decoder": byte_level | {"use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [[tokens[first], tokens[second]] for first, second in tokenizer.merges],
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def read_json(path: Path, *, running: bool) -> BpeTokenizer:
    """The tokenizer in a file.

    Raises InputError as `from_json` does, and for a file that cannot be read.
    """
    if not path.is_file():  # reading a pipe would wait for a writer
        what = "is no file" if path.exists() else "is not there"
        raise InputError(f"{path} {what}; wanted a tokenizer.json of {_WANTED}")
    try:
        with path.open(encoding="utf-8") as file:
            content = file.read(_LARGEST)  # a longer file is cut, and so is no JSON
        return from_json(content, running=running)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from error


def from_json(content: str, *, running: bool) -> BpeTokenizer:
    """The tokenizer with a file's merges. Its ids are this project's, which may not be the file's.

    Raises InputError unless the file holds byte-level BPE that cuts text into words as this project
    does (with other words, the same merges give other tokens), and changes nothing before or after.
    """
    try:
        found = json.loads(content)
        model = found["model"]
        differs = [name for name in _NOTHING if found.get(name)]
        differs += [name for name in _PLAIN if model.get(name)]
        differs += ["pre_tokenizer"] * (found["pre_tokenizer"] != _PRE_TOKENIZER)
        differs += ["type"] * (model["type"] != "BPE")
        if differs:
            raise InputError(f"tokenizer.json has its own {differs[0]}; wanted {_WANTED}")
        ids = {character: byte for byte, character in _SPELT.items()}
        merges = []
        for merge in model["merges"]:  # "a b" before version 0.20 of `tokenizers`
            first, second = merge.split(" ") if isinstance(merge, str) else merge
            merges.append((ids[first], ids[second]))
            ids[first + second] = 256 + len(merges) - 1
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"this is no tokenizer.json of {_WANTED}: {error!r}") from error
    return BpeTokenizer(running, tuple(merges))
