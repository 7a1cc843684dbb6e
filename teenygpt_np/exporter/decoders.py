"""Which models can be exported to a program that writes."""

from __future__ import annotations

from collections.abc import Collection

from teenygpt_np.errors import InputError
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.run_directory import TrainedRun

_OTHERS = {
    "labels": "tells the labels of texts",
    "pairs": "is an encoder and a decoder",
    "masked": "fills in masked tokens",
}


def decoder(
    run: TrainedRun, target: str, *, mixers: Collection[str], tokenizers: Collection[str]
) -> TeenyGPT:
    """A run's model, if a target knows how it writes.    mixers, tokenizers: those that it knows

    Raises InputError for any other, by what it has.
    """
    config, model = run.config, run.model
    if config.objective in _OTHERS:
        raise InputError(
            f"the run {_OTHERS[config.objective]}, wanted one that writes on from a beginning, "
            f"with --to {target}"
        )
    if unknown := [name for name in config.mixers if name not in mixers]:
        raise InputError(f"mixer is {unknown[0]}, wanted {', '.join(mixers)} with --to {target}")
    if config.experts > 1:
        raise InputError(f"experts is {config.experts}, wanted 1 with --to {target}")
    if run.tokenizer.kind not in tokenizers:
        raise InputError(
            f"the tokenizer is {run.tokenizer.kind}, wanted {' or '.join(tokenizers)} with --to "
            f"{target}"
        )
    assert isinstance(model, TeenyGPT)
    return model
