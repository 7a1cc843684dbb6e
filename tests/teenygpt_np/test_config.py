"""Settings: which are refused, conversion to a dictionary and back, the presets."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from teenygpt_np.config import PRESETS, Config, make_config
from teenygpt_np.errors import InputError
from teenygpt_np.model.building import with_positions

AT_LEAST_1 = ("num_emb", "num_heads", "num_neurons", "num_blocks", "epochs", "batch_size")
NOT_NEGATIVE = ("seed", "max_steps", "warmup_steps", "patience")
LENGTHS = ("weight_decay", "clip_grad_norm")

BAD: list[tuple[dict[str, Any], str]] = [
    *(({name: n}, f"{name} is {n}, wanted at least 1") for name in AT_LEAST_1 for n in (0, -3)),
    *(({name: -1}, f"{name} is -1, wanted 0 or above") for name in NOT_NEGATIVE),
    *(
        ({name: x}, f"{name} is {x}, wanted a finite number, 0 or above")
        for name in LENGTHS
        for x in (-0.1, math.nan, math.inf)
    ),
    (
        {"encoding": "none"},
        "encoding is 'none', wanted the name of one, such as utf-8, utf-16 or cp1252",
    ),
    ({"optimizer": "sgd"}, "optimizer is sgd, wanted adamw or muon"),
    *(({"num_tokens": n}, f"num_tokens is {n}, wanted at least 2") for n in (1, 0, -5)),
    *(
        ({"dropout": x}, f"dropout is {x}, wanted 0 <= dropout < 1")
        for x in (-0.1, 1.0, 1.5, math.nan, math.inf)
    ),
    *(
        ({"lr": x}, f"lr is {x}, wanted a finite number above 0")
        for x in (0.0, -1.0, math.nan, math.inf, -math.inf)
    ),
    ({"num_emb": 6, "num_heads": 4}, "num_emb is 6, wanted a multiple of num_heads, 4"),
    ({"num_emb": 4, "num_heads": 8}, "num_emb is 4, wanted a multiple of num_heads, 8"),
]


@pytest.mark.parametrize(("settings", "message"), BAD, ids=[message for _, message in BAD])
def test_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Config(**settings)
    assert str(caught.value) == message


def test_the_ends_of_each_range_are_in_it() -> None:
    least: dict[str, Any] = dict.fromkeys(AT_LEAST_1, 1) | dict.fromkeys(NOT_NEGATIVE, 0)
    least |= dict.fromkeys(LENGTHS, 0.0) | {"num_tokens": 2, "dropout": 0.0, "lr": 5e-324}
    config = Config(**least)
    assert {name: getattr(config, name) for name in least} == least
    assert Config(num_emb=6, num_heads=6).num_heads == 6


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().lr = 1.0  # type: ignore[misc]


OTHERS = Config(
    preset="tiny",
    data="/a/b.csv",
    more_data=("/a/c.csv",),
    columns=("title", "é"),
    classes=("no", "yes"),
    base="/runs/b",
    base_hash="ab",
    base_objective="masked",
    text="running",
    split_on="***",
    tokenizer="bpe",
    vocab_size=300,
    encoding="cp1252",
    alphabet="corpus",
    seed=7,
    num_tokens=33,
    num_emb=12,
    num_heads=3,
    num_neurons=5,
    num_blocks=6,
    experts=4,
    active_experts=3,
    mixer="attention,attention",
    positions="none",
    weights="ternary",
    objective="joint",
    alpha=0.5,
    mask_share=0.25,
    mask_span=2.0,
    lora_rank=2,
    lora_alpha=3.0,
    lora_on="k",
    train_only="head",
    shards=2,
    reduction="fast",
    beta=0.5,
    dropout=0.25,
    epochs=19,
    epoch_steps=8,
    max_steps=9,
    optimizer="adamw",
    batch_size=10,
    batch_tokens=77,
    lr=0.5,
    warmup_steps=11,
    decay=False,
    decay_to=0.5,
    weight_decay=0.125,
    clip_grad_norm=0.0625,
    patience=12,
    eval_tokens=13,
    ignore_pads=False,
)


def test_others_differ_in_every_setting() -> None:
    """So a setting that is lost in the conversion is noticed below."""
    default = Config()
    for field in dataclasses.fields(Config):
        assert getattr(OTHERS, field.name) != getattr(default, field.name), field.name


DEFAULT = with_positions(Config())  # as a run has it: in older ones auto meant something else


@pytest.mark.parametrize("config", [DEFAULT, OTHERS], ids=["default", "others"])
def test_to_a_dictionary_and_back(config: Config) -> None:
    settings = config.as_dict()
    assert settings.keys() == {field.name for field in dataclasses.fields(Config)}
    assert Config.from_dict(settings) == config
    assert Config.from_dict(json.loads(json.dumps(settings))) == config


def test_what_a_dictionary_leaves_out_is_as_by_default() -> None:
    """But for what came later: a run of before goes on as it did."""
    then = {"batch_tokens": 0, "positions": "learned", "epoch_steps": 0, "eval_tokens": 0}
    then |= {"decay_to": 0.05}
    assert Config.from_dict({}) == Config(**then)  # type: ignore[arg-type]
    now = {"batch_tokens": 5, "positions": "none", "epoch_steps": 6, "eval_tokens": 7}
    now |= {"decay_to": 0.5}
    assert Config.from_dict({"seed": 4} | now) == Config(seed=4, **now)  # type: ignore[arg-type]


def test_a_batch_size_that_is_given_holds() -> None:
    assert make_config("small").batch_tokens == 1024
    assert make_config("small", batch_size=32).batch_tokens == 0
    assert make_config("small", batch_size=32, batch_tokens=99).batch_tokens == 99


def test_a_whole_number_will_do_for_a_float() -> None:
    assert Config.from_dict({"lr": 1, "dropout": 0}).lr == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nope": 1}, "unknown setting 'nope'"),
        ({"lr": 0.1, "Lr": 1}, "unknown setting 'Lr'"),
        ({"num-emb": 8}, "unknown setting 'num-emb'"),
        ({"num_emb": "8"}, "setting num_emb is '8', wanted int"),
        ({"num_emb": 8.0}, "setting num_emb is 8.0, wanted int"),
        ({"num_emb": True}, "setting num_emb is True, wanted int"),
        ({"num_emb": None}, "setting num_emb is None, wanted int"),
        ({"lr": "0.1"}, "setting lr is '0.1', wanted float"),
        ({"lr": False}, "setting lr is False, wanted float"),
        ({"decay": 1}, "setting decay is 1, wanted bool"),
        ({"data": None}, "setting data is None, wanted str"),
        ({"alphabet": ["a"]}, r"setting alphabet is ['a'], wanted str"),
        ({"columns": "title"}, "setting columns is 'title', wanted "),
        ({"columns": [1]}, "setting columns is [1], wanted "),
        ({"lr": math.nan}, "lr is nan, wanted a finite number above 0"),
        ({"epochs": 0}, "epochs is 0, wanted at least 1"),
        ([], "[]"),
        (None, "None"),
        ("small", "'small'"),
    ],
)
def test_dictionaries_refused(settings: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Config.from_dict(settings)
    assert message in str(caught.value)


# -- presets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name: str) -> None:
    config = make_config(name)
    assert config.preset == name
    assert {k: getattr(config, k) for k in PRESETS[name]} == PRESETS[name]
    settled = with_positions(config)
    assert Config.from_dict(settled.as_dict()) == settled


@pytest.mark.parametrize(
    ("mixer", "before", "now"),
    [
        ("attention", "waves", "rotary"),
        ("mamba,attention", "waves", "rotary"),
        ("linear-attention", "waves", "waves"),
        ("rwkv", "none", "none"),
    ],
)
def test_what_auto_means_and_meant(mixer: str, before: str, now: str) -> None:
    config = Config(mixer=mixer)
    assert with_positions(config).positions == now
    assert Config.from_dict(config.as_dict()).positions == before
    assert with_positions(dataclasses.replace(config, positions="learned")).positions == "learned"


def test_a_preset_s_settings_may_be_changed_and_are_checked() -> None:
    config = make_config("article", epochs=3, lr=0.5)
    assert config == dataclasses.replace(make_config("article"), epochs=3, lr=0.5)
    with pytest.raises(InputError, match="epochs is 0, wanted at least 1"):
        make_config("article", epochs=0)
    with pytest.raises(InputError, match="num_emb is 32, wanted a multiple of num_heads, 7"):
        make_config("article", num_heads=7)
    assert make_config("article").epochs == 1000  # the preset itself is as it was


def test_no_such_preset() -> None:
    with pytest.raises(InputError) as caught:
        make_config("huge")
    assert str(caught.value) == f"preset is 'huge', wanted one of {', '.join(PRESETS)}"


def test_the_article_s_settings() -> None:
    """The model and the training of the article, given with its notebook."""
    config = make_config("article")
    assert (config.num_tokens, config.num_emb, config.num_heads) == (150, 32, 8)
    assert (config.num_neurons, config.num_blocks, config.dropout) == (512, 4, 0.1)
    assert (config.lr, config.warmup_steps, config.decay) == (1e-3, 0, False)
    assert (config.weight_decay, config.clip_grad_norm) == (0.01, 0)
    assert (config.batch_size, config.epochs, config.patience) == (32, 1000, 5)
    assert (config.max_steps, config.ignore_pads, config.alphabet) == (0, False, "auto")
