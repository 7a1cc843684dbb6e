"""A run directory: what is in it, and how to get a trained model out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from teenygpt_np import checkpoint
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model import TeenyGPT
from teenygpt_np.tokenizer import Tokenizer

CONFIG, METRICS, BEST, LAST = "config.json", "metrics.jsonl", "best.npz", "last.npz"
SAMPLES, TEST = "samples", "test.json"


@dataclass(frozen=True)
class TrainedRun:
    """A model as a run left it, with what is needed to use it."""

    model: TeenyGPT
    tokenizer: Tokenizer
    config: Config
    meta: dict[str, Any]


def build_model(config: Config, tokenizer: Tokenizer, rng: np.random.Generator) -> TeenyGPT:
    """A fresh model of the configured sizes."""
    return TeenyGPT(
        config.num_tokens,
        tokenizer.num_token_vals,
        config.num_emb,
        config.num_neurons,
        config.num_heads,
        config.dropout,
        config.num_blocks,
        rng=rng,
    )


def load_run(directory: Path, name: str = BEST) -> TrainedRun:
    """The best model of a run, in evaluation mode.

    Raises InputError where there is no run, or its checkpoint does not hold what it says.
    """
    path = directory / name
    if not path.is_file():
        what = "is no directory" if directory.is_file() else "is not there"
        what = f"has no {name}" if directory.is_dir() else what
        raise InputError(f"{directory} {what}; wanted a run directory, made by teenygpt_np.train")
    arrays, meta = checkpoint.load(path)
    try:
        config = Config.from_dict(meta["config"])
        tokenizer = Tokenizer(meta["characters"])
        model = build_model(config, tokenizer, np.random.default_rng(0))
        model.load_state_dict(under(arrays, "model/"))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint of a run: {error}") from error
    return TrainedRun(model.eval(), tokenizer, config, meta)


def under(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays whose names begin with a prefix, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
