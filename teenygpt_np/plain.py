"""A run made of weights that are there already, by `merge` and by `import`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigrad import Array
from teenygpt_np import checkpoint, run_directory
from teenygpt_np.config import Config
from teenygpt_np.text.tokenizer import Tokenizer
from teenygpt_np.training.objectives import objective_of


def plain(config: Config, tokenizer: Tokenizer) -> Config:
    """The settings of a run whose weights are all its own: no LoRA, and no base if it needs none.

    The scores of preferences are told beside the base's, whoever has the weights.
    """
    config = dataclasses.replace(config, lora_rank=0, train_only="all")
    if not objective_of(config, tokenizer).refers:
        config = dataclasses.replace(config, base="", base_hash="")
    return config


def save(
    out: Path,
    weights: Mapping[str, Array],
    meta: Mapping[str, Any],
    config: Config,
    tokenizer: Tokenizer,
) -> None:
    """Make a finished run in a new directory.    meta: what its description has beside settings

    Raises InputError if the directory holds a run, or files of one.
    """
    run_directory.check_new(out)
    out.mkdir(parents=True, exist_ok=True)
    description = dict(meta) | run_directory.description(config, tokenizer)
    with contextlib.closing(run_directory.lock(out)):
        run_directory.begin(out, description)
        arrays = {f"model/{name}": array for name, array in weights.items()}
        checkpoint.save(out / run_directory.BEST, arrays, description)
