"""The settings of a run: the model's sizes, how it is trained, on which text.

A setting is declared once, as a field of `Config`: its default, its meaning, the values allowed and
its flag on the command line (`cli.add_settings`).
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from teenygpt_np.errors import InputError
from teenygpt_np.text.reading import check_encoding

OPTIMIZERS = ("adamw", "muon")
_MASKING = ("masked", "joint")  # objectives whose models have a mask token
# Objectives that need a text of the kind of that name, and have it alone.
OWN_TEXTS = ("pairs", "labels", "preferences")


@dataclass(frozen=True)
class Setting:
    """What a field of `Config` means and allows.

    help: its meaning, in a few words for --help.
    at_least, at_most, above, below: bounds of a number, which must also be finite.
    choices: the values allowed, by the words that the command line takes for them.
    file: the suffix of a file that the command line takes in place of a choice.
    flag: its flag on the command line, if that is not the field's name with dashes.
    before: what runs did that are older than the setting, if that is not the default.
    unless: the setting that, where it is given, puts this one at `before`.
    of: 'model' if a trained model has it for good, 'fine-tuning' if it is for that alone.
    """

    help: str
    at_least: float = -math.inf
    at_most: float = sys.float_info.max
    above: float = -math.inf
    below: float = math.inf
    choices: Mapping[str, Any] | None = None
    file: str = ""
    flag: str = ""
    before: Any = None
    unless: str = ""
    of: str = "training"

    def wanted(self, name: str, value: Any) -> str:
        """What is wanted instead of this value; '' if the value is allowed."""
        if self.choices is not None:
            return "" if value in self.choices.values() else " or ".join(self.choices)
        if isinstance(value, str):
            return ""
        if self.at_least <= value <= self.at_most and self.above < value < self.below:
            return ""
        if self.at_most < value < math.inf:
            return f"at most {self.at_most:,}"
        if self.below < math.inf:
            return f"{self.at_least} <= {name} < {self.below}"
        bound = f"above {self.above}" if self.above > -math.inf else f"at least {self.at_least}"
        if self.at_least == 0:
            bound = "0 or above"
        if isinstance(value, int):
            return bound
        return f"a finite number{',' * (self.at_least == 0)} {bound}"


def _setting(default: Any, help: str, **settings: Any) -> Any:
    return dataclasses.field(default=default, metadata={"setting": Setting(help, **settings)})


@dataclass(frozen=True)
class Config:
    """The settings of one run.

    Raises InputError for a setting out of range.
    """

    preset: str = "small"
    data: str = ""
    more_data: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # of labels, in the order of their numbers
    base: str = ""  # of fine-tuning: the run that it began from, its hash, and what that learned
    base_hash: str = ""
    base_objective: str = ""
    text: str = _setting(
        "lines",
        "what the text is: a headline, a name or the like on each line, running text, or, by the "
        "flags of that name, pairs, labels or preferences",
        choices={name: name for name in ("lines", "running", *OWN_TEXTS)},
        before="lines",
        of="model",
    )
    split_on: str = _setting(
        "", "a line that stands between two documents of a running text", before=""
    )
    tokenizer: str = _setting(
        "characters",
        "what a token is: a character, a byte, or what often comes together in a word; or the file "
        "of a bpe that there is already, as HF `tokenizers` writes it",
        choices={name: name for name in ("characters", "bytes", "bpe")},
        file=".json",
        before="characters",
        of="model",
    )
    vocab_size: int = _setting(
        0, "token values of bpe; 0: 1,024", at_least=0, at_most=65_536, before=0, of="model"
    )
    encoding: str = _setting(
        "utf-8", "encoding of the text's file, such as utf-8, utf-16, cp1252 or shift_jis"
    )
    alphabet: str = _setting(
        "auto",
        "fold text to a-z and space as the article does, or keep the corpus's own characters; "
        "auto: article for lines, corpus for running text and pairs",
        choices={name: name for name in ("auto", "article", "corpus")},
        of="model",
    )
    seed: int = _setting(
        0, "seed of all random numbers, and of the split of a single file", at_least=0
    )
    num_tokens: int = _setting(
        128,
        "length of a row: a token to begin it, then the characters",
        at_least=2,
        at_most=10_000,
        of="model",
    )
    num_emb: int = _setting(96, "width of the model", at_least=1, at_most=1_000_000, of="model")
    num_heads: int = _setting(4, "heads of each mixer; must divide num-emb", at_least=1, of="model")
    num_neurons: int = _setting(
        4, "width of the MLPs, as a multiple of num-emb", at_least=1, at_most=1_000_000, of="model"
    )
    num_blocks: int = _setting(
        4, "blocks, each a mixer and an MLP", at_least=1, at_most=1000, of="model"
    )
    experts: int = _setting(
        1,
        "MLPs in each block, among which a router chooses for each token; 1: one MLP, no router",
        at_least=1,
        at_most=64,
        of="model",
    )
    active_experts: int = _setting(1, "of them, so many work on each token", at_least=1, of="model")
    mixer: str = _setting(
        "attention",
        "mixer of the blocks; several names, with commas, are repeated over the blocks",
        of="model",
    )
    positions: str = _setting(
        "auto",
        "learned embeddings of the positions, from random numbers or from waves; or rotary: "
        "attention turns what it compares by them; or none; auto: rotary with attention, waves "
        "with linear attention, else none",
        choices={name: name for name in ("auto", "learned", "waves", "rotary", "none")},
        before="learned",
        of="model",
    )
    weights: str = _setting(
        "float32",
        "of the blocks' matrices: any number, or -1, 0 or 1 times one number for each matrix",
        choices={name: name for name in ("float32", "ternary")},
        before="float32",
        of="model",
    )
    objective: str = _setting(
        "next",
        "what is learned: the next token, masked tokens from all of the row (an encoder), or both; "
        "by --pairs a target from its source; by --label the class of a text",
        choices={name: name for name in ("next", "masked", "joint", *OWN_TEXTS)},
        before="next",
    )
    alpha: float = _setting(
        1.0, "weight of the masked loss in objective joint", at_least=0, before=1.0
    )
    mask_share: float = _setting(
        0.15, "share of the text's tokens that are masked", above=0, at_most=0.5, before=0.15
    )
    mask_span: float = _setting(
        3.0, "tokens masked in a row, on average", at_least=1, at_most=1000, before=3.0
    )
    lora_rank: int = _setting(
        0,
        "train only products of this rank that are added to some weights; 0: train all weights",
        at_least=0,
        at_most=10_000,
        before=0,
        of="fine-tuning",
    )
    lora_alpha: float = _setting(
        8.0,
        "of LoRA: the products are multiplied by this and divided by their rank",
        above=0,
        before=8.0,
        of="fine-tuning",
    )
    lora_on: str = _setting(
        "q,v",
        "the matrices that LoRA adds to: q, k, v of attention, out, mlp, or others by their name",
        before="q,v",
        of="fine-tuning",
    )
    train_only: str = _setting(
        "all",
        "all weights, or only the last layer's, which is called the head",
        choices={name: name for name in ("all", "head")},
        before="all",
        of="fine-tuning",
    )
    beta: float = _setting(
        0.1,
        "of --preferences: how dear it is to leave the base; less goes further from it",
        above=0,
        at_most=1000,
        before=0.1,
        of="fine-tuning",
    )
    dropout: float = _setting(
        0.05, "dropout: share of the embedding set to 0 in training", at_least=0, below=1
    )
    epochs: int = _setting(7, "at most this many passes through the training split", at_least=1)
    epoch_steps: int = _setting(
        2000,
        "steps of an epoch, at most, so that a large text is validated often; 0: no limit",
        at_least=0,
        before=0,
    )
    max_steps: int = _setting(0, "stop after this many steps; 0: no limit", at_least=0)
    batch_size: int = _setting(32, "lines, or windows of running text, per step", at_least=1)
    shards: int = _setting(
        1,
        "parts of a batch whose gradients are computed one by one and added up in their order; "
        "processes that train together have as many each",
        at_least=1,
        at_most=10_000,
        before=1,
    )
    reduction: str = _setting(
        "exact",
        "of shards: added in their order, so that any number of processes gives the same bits; or "
        "first in each process, so that fewer bytes are sent",
        choices={name: name for name in ("exact", "fast")},
        before="exact",
    )
    batch_tokens: int = _setting(
        1024,
        "tokens per step that short lines are filled up to, with more of them than batch-size; "
        "0, and wherever batch-size is given: never more",
        at_least=0,
        at_most=1_000_000,
        before=0,
        unless="batch_size",
    )
    optimizer: str = _setting(
        "muon",
        "optimizer of the blocks' weight matrices; AdamW trains all the rest",
        choices={name: name for name in OPTIMIZERS},
    )
    lr: float = _setting(0.01, "highest learning rate", above=0)
    warmup_steps: int = _setting(
        100, "steps over which the learning rate rises at first", at_least=0
    )
    decay: bool = _setting(
        True,
        "whether the learning rate then falls, along half a cosine",
        choices={"yes": True, "no": False},
    )
    decay_to: float = _setting(
        0.0,
        "share of lr that the learning rate falls to",
        at_least=0,
        at_most=1,
        before=0.05,
    )
    weight_decay: float = _setting(
        0.05, "share of the weights that a step takes off, as a multiple of lr", at_least=0
    )
    clip_grad_norm: float = _setting(
        1.0, "clip the gradient to this norm; 0: no clipping", at_least=0
    )
    patience: int = _setting(
        5,
        "early stopping: after more than this many epochs in a row without a new best",
        at_least=0,
    )
    eval_tokens: int = _setting(
        200_000,
        "tokens of the validation and of the test split that are scored, spread over it; 0: all",
        at_least=0,
        before=0,
    )
    ignore_pads: bool = _setting(
        True,
        "ignore padding: a line counts up to its end; or count all num-tokens",
        choices={"ignore": True, "count": False},
        flag="pads",
    )

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            value = getattr(self, name)
            if wanted := setting.wanted(name, value):
                raise InputError(f"{name} is {value}, wanted {wanted}")
        check_encoding(self.encoding)
        if self.num_emb % self.num_heads:
            raise InputError(
                f"num_emb is {self.num_emb}, wanted a multiple of num_heads, {self.num_heads}"
            )
        own = {self.text, self.objective}.intersection(OWN_TEXTS)
        if own and self.text != self.objective:
            wanted = self.text if self.text in own else f"another one, or text {self.objective}"
            raise InputError(f"objective is {self.objective}, wanted {wanted}: text is {self.text}")
        if self.objective == "preferences" and not self.base:
            raise InputError(
                "objective is preferences, wanted a base: by finetune RUN --preferences FILE"
            )
        if self.objective == "preferences" and self.dropout:
            raise InputError(f"dropout is {self.dropout}, wanted 0 with preferences")
        if self.lora_rank > self.num_emb:
            raise InputError(
                f"lora_rank is {self.lora_rank}, wanted at most num_emb, {self.num_emb}"
            )
        if self.active_experts > self.experts:
            raise InputError(
                f"active_experts is {self.active_experts}, wanted at most experts, {self.experts}"
            )

    @property
    def mixers(self) -> tuple[str, ...]:
        """The names in `mixer`: the pattern that is repeated over the blocks."""
        return tuple(name.strip() for name in self.mixer.split(","))

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of the text; () for the bundled one."""
        return (self.data, *self.more_data) if self.data else ()

    @property
    def has_masks(self) -> bool:
        """Whether the model learns, or has learned, to fill in masked tokens."""
        return self.learned in _MASKING

    @property
    def learned(self) -> str:
        """The `base_objective` of what is fine-tuned from this run: masks are never unlearned."""
        both = self.objective, self.base_objective
        masking = [name for name in both if name in _MASKING]
        return masking[0] if masking else self.base_objective or self.objective

    @property
    def sees_both_ways(self) -> bool:
        """Whether a classifier's tokens see each other both ways, as those of its base have."""
        if self.base_objective in ("", "labels"):
            return set(self.mixers) == {"attention"}
        return self.has_masks

    @property
    def is_frozen(self) -> bool:
        """Whether weights of the base stay as they are, and so are in no checkpoint."""
        return bool(self.lora_rank) or self.train_only != "all"

    def as_dict(self) -> dict[str, Any]:
        """The settings as a dictionary that JSON can hold."""
        settings = dataclasses.asdict(self)
        return {n: list(v) if isinstance(v, tuple) else v for n, v in settings.items()}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Config:
        """The settings from what `as_dict` gave; missing ones are as they were before they came.

        Raises InputError for an unknown name, or a value of another type or out of range.
        """
        if not isinstance(settings, dict):
            raise InputError(f"settings are {settings!r}, wanted names and values")
        known = {field.name: type(field.default) for field in dataclasses.fields(cls)}
        for name, value in settings.items():
            wanted = known.get(name)
            if wanted is None:
                raise InputError(f"unknown setting {name!r}")
            if wanted is tuple:
                fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
            else:
                fits = type(value) is wanted or (wanted is float and type(value) is int)
            if not fits:
                raise InputError(f"setting {name} is {value!r}, wanted {wanted.__name__}")
        older = {n: s.before for n, s in SETTINGS.items() if s.before is not None}
        tuples = {n: tuple(v) for n, v in settings.items() if known[n] is tuple}
        config = cls(**older | settings | tuples)
        if config.positions == "auto" and config.objective != "pairs":  # of a run before rotary
            has_order = _WITHOUT_ORDER.isdisjoint(config.mixers)
            config = dataclasses.replace(config, positions="none" if has_order else "waves")
        return config


SETTINGS: dict[str, Setting] = {
    field.name: field.metadata["setting"]
    for field in dataclasses.fields(Config)
    if "setting" in field.metadata
}

_WITHOUT_ORDER = frozenset({"attention", "linear-attention"})  # the mixers that auto gave waves

# Settings that mean nothing unless another one has one of these values, or, if there are none, one
# that is not 0.
_ONLY_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    "alphabet": ("tokenizer", ("characters",)),
    "vocab_size": ("tokenizer", ("bpe",)),
    "alpha": ("objective", ("joint",)),
    "mask_share": ("objective", _MASKING),
    "mask_span": ("objective", _MASKING),
    "beta": ("objective", ("preferences",)),
    "lora_alpha": ("lora_rank", ()),
    "lora_on": ("lora_rank", ()),
}

# So many times higher a learning rate for ternary weights: what learns has to move far until it is
# rounded to another value. After five epochs (tiny, bundled headlines) the validation split had 67
# nats a headline with it, 69 with 6 times the lr, and with the same lr the test split had 82.
_FASTER = 2.5

PRESETS: dict[str, dict[str, Any]] = {
    # For trying things: an epoch takes seconds.
    "tiny": {"num_emb": 64, "num_blocks": 2, "epochs": 5},
    # The default: trains on the bundled corpus in minutes.
    "small": {},
    # For real headlines, which use far more different words.
    "medium": {"num_emb": 128, "lr": 4e-3, "dropout": 0.2, "epochs": 8},
    # For first names, and other lists of short words.
    "names": {
        "num_tokens": 32,
        "num_emb": 64,
        "mixer": "convolution,attention",
        "dropout": 0.3,
        "weight_decay": 0.1,
        "epochs": 10,
    },
    # For a megabyte of running text, such as plays.
    "shakespeare": {"text": "running", "mixer": "convolution,attention", "epochs": 3},
    # The article's hyperparameters: 4,284,061 parameters, padding counted.
    "article": {
        "num_tokens": 150,
        "num_emb": 32,
        "num_heads": 8,
        "num_neurons": 512,
        "positions": "learned",
        "epochs": 1000,
        "batch_tokens": 0,
        "optimizer": "adamw",
        "lr": 1e-3,
        "dropout": 0.1,
        "weight_decay": 0.01,
        "warmup_steps": 0,
        "decay": False,
        "clip_grad_norm": 0.0,
        "ignore_pads": False,
    },
}


def make_config(preset: str, **changes: Any) -> Config:
    """A preset's settings, with some of them changed.

    Raises InputError as `Config` does, and for a setting that another tokenizer has.
    """
    if preset not in PRESETS:
        raise InputError(f"preset is {preset!r}, wanted one of {', '.join(PRESETS)}")
    fixed = {name: s.before for name, s in SETTINGS.items() if s.unless in changes}
    config = Config(preset=preset, **PRESETS[preset] | fixed | changes)
    if config.weights == "ternary" and "lr" not in changes:
        config = dataclasses.replace(config, lr=config.lr * _FASTER)
    check_given(config, changes)
    return config


def check_given(config: Config, given: Collection[str]) -> None:
    """Raise InputError if one of the settings that were given means nothing beside the others."""
    for name, (other, values) in _ONLY_WITH.items():
        value = getattr(config, other)
        if name in given and not (value in values if values else value):
            wanted = " or ".join(values) if values else "above 0"
            raise InputError(f"{name} is for {other} {wanted}, and {other} is {value}")
