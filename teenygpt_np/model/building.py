"""From a configuration to a model, or to what one would take."""

from __future__ import annotations

from typing import Any

import numpy as np

from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.mixers import MIXERS
from teenygpt_np.model.module import Generator, shapes_only
from teenygpt_np.model.teenygpt import TeenyGPT

MOST_PARAMETERS = 10**9  # training has each of them four times, in 16 GB


def build_model(config: Config, num_token_vals: int, rng: Generator) -> TeenyGPT:
    """A fresh model of the configured sizes.

    Raises InputError where it would have more parameters than can be trained, before it has any;
    and for a mixer that there is not.
    """
    wanted = outline(config, num_token_vals).num_parameters()
    if wanted > MOST_PARAMETERS:
        raise InputError(
            f"the model would have {wanted:,} parameters, wanted at most {MOST_PARAMETERS:,}"
        )
    return _model(config, num_token_vals, rng)


def outline(config: Config, num_token_vals: int) -> TeenyGPT:
    """The model without its memory: parameters of the right names, shapes and dtypes, all 0."""
    with shapes_only():
        return _model(config, num_token_vals, np.random.default_rng(0))


def _model(config: Config, num_token_vals: int, rng: Any) -> TeenyGPT:
    for name in config.mixers:
        if name not in MIXERS:
            known = ", ".join(MIXERS)
            raise InputError(f"mixer {name!r} in {config.mixer!r} is not known, wanted: {known}")
    return TeenyGPT(
        config.num_tokens,
        num_token_vals,
        config.num_emb,
        config.num_neurons,
        config.num_heads,
        config.dropout,
        config.num_blocks,
        mixers=config.mixers,
        rng=rng,
    )
