"""Build the model that a configuration describes, or only its parameters' names and shapes."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import numpy as np

from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.classifier import Classifier
from teenygpt_np.model.encoder_decoder import EncoderDecoder
from teenygpt_np.model.lora import LoRA, freeze
from teenygpt_np.model.mixers import MIXERS
from teenygpt_np.model.module import Generator, shapes_only
from teenygpt_np.model.teenygpt import TeenyGPT, usual_positions
from teenygpt_np.model.ternary import Ternary

# TeenyGPT, Classifier or EncoderDecoder: what a model reads and gives differs, which its objective
# knows.
Model: TypeAlias = Any

MOST_PARAMETERS = 10**9  # training holds four float32 arrays of that size: 16 GB


def build_model(config: Config, num_token_vals: int, rng: Generator) -> Model:
    """A model of the configured sizes, with initial weights drawn from rng.

    Raises InputError for an unknown mixer, and for more than `MOST_PARAMETERS` parameters before
    memory is allocated for them.
    """
    wanted = outline(config, num_token_vals).num_parameters()
    if wanted > MOST_PARAMETERS:
        raise InputError(
            f"the model would have {wanted:,} parameters, wanted at most {MOST_PARAMETERS:,}"
        )
    return _model(config, num_token_vals, rng)


def outline(config: Config, num_token_vals: int) -> Model:
    """The model with the right parameter names, shapes and dtypes, all 0 and without memory."""
    with shapes_only():
        return _model(config, num_token_vals, np.random.default_rng(0))


def with_positions(config: Config) -> Config:
    """The same, but what `positions` are usual for these mixers instead of 'auto'."""
    if (
        config.positions != "auto"
        or config.objective == "pairs"
        or set(config.mixers) - set(MIXERS)
    ):
        return config
    usual = usual_positions(config.mixers, config.num_emb // config.num_heads)
    return dataclasses.replace(config, positions=usual)


def _model(config: Config, num_token_vals: int, rng: Any) -> Model:
    if config.objective == "pairs":
        _check_encoder_decoder(config)
    for name in config.mixers:
        if name not in MIXERS:
            known = ", ".join(MIXERS)
            raise InputError(f"mixer {name!r} in {config.mixer!r} is not known, wanted: {known}")
        if config.has_masks and not MIXERS[name].sees_both_ways:
            able = " or ".join(name for name, kind in MIXERS.items() if kind.sees_both_ways)
            raise InputError(
                f"mixer is {config.mixer}, wanted {able} with objective {config.objective}: "
                f"{name} sees only what came before"
            )
    kinds = [MIXERS[name] for name in config.mixers]
    if config.positions == "rotary" and (
        not any(kind.can_turn for kind in kinds)
        or not all(kind.can_turn or kind.knows_order for kind in kinds)
    ):
        raise InputError(f"positions is rotary, wanted another one with mixer {config.mixer}")
    if len(config.mixers) > config.num_blocks:
        raise InputError(
            f"mixer {config.mixer!r} is of {len(config.mixers)} blocks, wanted at most num_blocks, "
            f"{config.num_blocks}"
        )
    try:
        model = _built(config, num_token_vals, rng)
    except ValueError as error:  # what a mixer wants of its width and heads
        raise InputError(f"{error}: num_emb and num_heads") from None
    is_head = isinstance(model, Classifier)
    body, head = (model.body, model.head) if is_head else (model, model.logits)
    if config.lora_rank and config.weights == "ternary":
        raise InputError(f"lora_rank is {config.lora_rank}, wanted 0 with ternary weights")
    if config.lora_rank and config.train_only != "all":
        raise InputError(f"train_only is {config.train_only}, wanted all with lora_rank above 0")
    if config.lora_rank:
        words = [word.strip() for word in config.lora_on.split(",")]
        try:
            body.lora = LoRA(body, config.lora_rank, config.lora_alpha, words, rng=rng)
        except ValueError as error:
            raise InputError(f"--lora-on is {config.lora_on!r}, and {error}") from None
    elif config.train_only == "head":
        freeze(body)
        for parameter in head.parameters():
            parameter.requires_grad = True
    return model


def _check_encoder_decoder(config: Config) -> None:
    """Raise InputError for what an encoder and a decoder for pairs cannot have."""
    only = {"mixer": "attention", "experts": 1, "lora_rank": 0, "weights": "float32"}
    given = {name: getattr(config, name) for name in only}
    given["mixer"] = ",".join(dict.fromkeys(config.mixers))
    for name, value in given.items():
        if value != only[name]:
            raise InputError(f"{name} is {value}, wanted {only[name]} with pairs")
    if config.positions not in ("auto", "learned"):
        raise InputError(f"positions is {config.positions}, wanted learned with pairs")


def _built(config: Config, num_token_vals: int, rng: Any) -> Model:
    if config.objective == "pairs":
        return EncoderDecoder(
            config.num_tokens,
            num_token_vals,
            config.num_emb,
            config.num_neurons,
            config.num_heads,
            config.dropout,
            config.num_blocks,
            rng=rng,
        )
    model = TeenyGPT(
        config.num_tokens,
        num_token_vals,
        config.num_emb,
        config.num_neurons,
        config.num_heads,
        config.dropout,
        config.num_blocks,
        mixers=config.mixers,
        positions=config.positions,
        with_mask=config.has_masks,
        num_experts=config.experts,
        num_active=config.active_experts,
        rng=rng,
    )
    if config.weights == "ternary":
        model.ternary = Ternary(model)
    if config.objective != "labels":
        return model
    both_ways = config.sees_both_ways
    return Classifier(model, max(len(config.classes), 2), both_ways=both_ways, rng=rng)
