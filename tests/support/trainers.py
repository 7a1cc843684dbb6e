"""Tiny trainers for tests, on the corpus of 60 lines, that print nothing."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from running import write_corpus

from teenygpt_np import run_directory
from teenygpt_np.config import Config
from teenygpt_np.inspector.page import write_report
from teenygpt_np.text.batches import Split
from teenygpt_np.text.corpus import Corpus, load_corpus
from teenygpt_np.training.console import Console
from teenygpt_np.training.loop import Trainer

Array = np.ndarray[Any, np.dtype[Any]]

# The training split has 48: three batches, so that an epoch ends after steps 3, 6 and 9.
TINY = Config(
    num_tokens=24,
    num_emb=8,
    num_heads=2,
    num_neurons=2,
    num_blocks=1,
    epochs=3,
    batch_size=16,
    lr=1e-2,
    warmup_steps=2,
)


def load(folder: Path) -> Corpus:
    return load_corpus(write_corpus(folder))


def make(corpus: Corpus, **changes: Any) -> Trainer:
    config = dataclasses.replace(TINY, **changes)
    return Trainer(config, corpus, Console(io.StringIO(), quiet=True))


def trained(corpus: Corpus, out: Path, **changes: Any) -> Trainer:
    made = make(corpus, **changes)
    run(made, out)
    return made


def run(made: Trainer, out: Path) -> int:
    return made.run(out, write_report)


def metrics(out: Path) -> list[dict[str, Any]]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text = (out / "metrics.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def resumed(corpus: Corpus, out: Path, **changes: Any) -> Trainer:
    made = make(corpus, **changes)
    last = run_directory.load_last(out, made.config, corpus.tokenizer)
    made.restore(*last, out / run_directory.LAST)
    return made


def gradients(made: Trainer) -> list[Array]:
    """Of all parameters, in their order."""
    found = []
    for name, parameter in made.model.named_parameters():
        assert parameter.grad is not None, name
        found.append(parameter.grad)
    return found


def padded(corpus: Corpus, split: str) -> Array:
    """The ids of all rows, with padding.    -> (N, T)"""
    found = rows(corpus, split)
    return found.whole_batch(found.in_order).ids


def rows(corpus: Corpus, split: str) -> Split:
    return corpus.rows(split, TINY.num_tokens)
