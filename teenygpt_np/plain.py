"""A run made of weights that are there already, by `merge` and by `import`."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minigrad import Array
from teenygpt_np import checkpoint, run_directory
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
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


@contextlib.contextmanager
def saved(
    out: Path,
    weights: Mapping[str, Array],
    meta: Mapping[str, Any],
    config: Config,
    tokenizer: Tokenizer,
) -> Iterator[Path]:
    """A directory with a finished run, which becomes `out` if the block ends without an error.

    meta: what its description has beside settings

    Raises InputError, before anything is written, if `out` is there and not empty.
    """
    run_directory.check_directory(out)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty; wanted a new directory")
    parents = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            run = Path(folder) / "run"
            description = dict(meta) | run_directory.description(config, tokenizer)
            run_directory.begin(run, description)
            arrays = {f"model/{name}": array for name, array in weights.items()}
            checkpoint.save(run / run_directory.BEST, arrays, description)
            yield run
            if out.exists():  # on Windows a directory cannot be renamed to one that is there
                out.rmdir()
            run.replace(out)
    except BaseException:
        run_directory.remove_empty(parents)
        raise
