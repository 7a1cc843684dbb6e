"""How a training went, from what its run directory holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from teenygpt_np import run_directory
from teenygpt_np.errors import InputError
from teenygpt_np.text.corpus import Corpus, is_hash_of
from teenygpt_np.text.headlines import unit_of
from teenygpt_np.training.objectives import Objective, objective_of

_SAMPLES = 8  # rows shown of each epoch


def training_data(directory: Path, corpus: Corpus | None = None) -> dict[str, Any]:
    """Settings, metrics of each epoch, baselines, samples, and the test scores.

    corpus: the run's, if it is already loaded. If its text is missing or has changed, there are no
    baselines. Raises InputError if the directory holds no run.
    """
    try:
        described, config, tokenizer = run_directory.read_description(directory)
        epochs = [json.loads(line) for line in _lines(directory / run_directory.METRICS)]
        test = json.loads("".join(_lines(directory / run_directory.TEST)) or "null")
        paths = sorted((directory / run_directory.SAMPLES).glob("epoch_*.txt"))
        samples = [[int(path.stem[6:]), _lines(path)[:_SAMPLES]] for path in paths]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{directory} is no run directory: {error}") from error
    settings = config.as_dict() | {"data": ", ".join(Path(p).name for p in config.paths)}
    del settings["more_data"]
    objective = objective_of(config, tokenizer)
    return {
        "score": objective.score,
        "unit": objective.unit,
        "name": directory.resolve().name,
        "line": unit_of(config.data),
        "config": settings | {"data": settings["data"] or "bundled"},
        "parameters": described.get("parameters"),
        "epochs": epochs,
        "test": test,
        "samples": samples,
        **_guesses(directory, objective, described.get("corpus"), corpus),
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _guesses(
    directory: Path,
    objective: Objective,
    digest: str | None,
    corpus: Corpus | None,
) -> dict[str, Any]:
    """The scores of the baselines, and of the grammar if it is known, on the validation split."""
    config, tokenizer = objective.config, objective.tokenizer
    try:
        corpus = corpus or run_directory.load_own_corpus(config, directory.parent, tokenizer)
    except (InputError, OSError):
        return {"baselines": {}}
    if not is_hash_of(digest, corpus):
        return {"baselines": {}}
    train, val = (corpus.rows(split, config.num_tokens) for split in ("train", "val"))
    found = objective.baselines(train, val)
    if corpus.truth:
        found["grammar"] = {"nll_no_pad": corpus.truth["val"]}
    return {"baselines": found}
