"""What a run is made of: the model's sizes, how it is trained, on which text."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from teenygpt_np.errors import InputError

OPTIMIZERS = ("adamw", "muon")
_MOST_WEIGHTS = 10**9  # training has each of them four times, in 16 GB


@dataclass(frozen=True)
class Config:
    """The settings of one run. The sizes are those of `TeenyGPT`.

    epochs, max_steps: stop after that many (max_steps 0: no such limit).    patience: stop after
    more than that many epochs in a row without a new best.    optimizer: 'adamw', or 'muon' for the
    weight matrices of the blocks and AdamW for the rest.    lr rises in the first warmup_steps
    and, with decay, falls along a cosine to a twentieth of itself at the last epoch's end.
    clip_grad_norm: the longest the gradient may be (0: any).    ignore_pads: count each headline up
    to and including its first pad only.    columns, alphabet, data: see `data.load_corpus`.

    Raises InputError for a setting out of range.
    """

    preset: str = "small"
    data: str = ""
    columns: tuple[str, ...] = ()
    alphabet: str = "article"
    seed: int = 0
    num_tokens: int = 128
    num_emb: int = 96
    num_heads: int = 8
    num_neurons: int = 4
    num_blocks: int = 4
    dropout: float = 0.03
    epochs: int = 7
    max_steps: int = 0
    batch_size: int = 32
    optimizer: str = "muon"
    lr: float = 8e-3
    warmup_steps: int = 100
    decay: bool = True
    weight_decay: float = 0.1
    clip_grad_norm: float = 1.0
    patience: int = 5
    ignore_pads: bool = True

    def __post_init__(self) -> None:
        for name in ("num_emb", "num_heads", "num_neurons", "num_blocks", "epochs", "batch_size"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        self._check("num_tokens", self.num_tokens >= 2, "at least 2")
        self._check("num_tokens", self.num_tokens <= 10_000, "at most 10,000")
        for name in ("num_emb", "num_neurons"):
            self._check(name, getattr(self, name) <= 1_000_000, "at most 1,000,000")
        self._check("num_blocks", self.num_blocks <= 1000, "at most 1,000")
        for name in ("seed", "max_steps", "warmup_steps", "patience"):
            self._check(name, getattr(self, name) >= 0, "0 or above")
        self._check("dropout", 0 <= self.dropout < 1, "0 <= dropout < 1")
        self._check("lr", 0 < self.lr < math.inf, "a finite number above 0")
        for name in ("weight_decay", "clip_grad_norm"):
            self._check(name, 0 <= getattr(self, name) < math.inf, "a finite number, 0 or above")
        self._check("optimizer", self.optimizer in OPTIMIZERS, " or ".join(OPTIMIZERS))
        weights = (4 + 2 * self.num_neurons) * self.num_emb**2 * self.num_blocks
        if weights > _MOST_WEIGHTS:
            raise InputError(
                f"the blocks have {weights:,} weights, wanted at most {_MOST_WEIGHTS:,}"
            )
        if self.num_emb % self.num_heads:
            raise InputError(
                f"num_emb is {self.num_emb}, wanted a multiple of num_heads, {self.num_heads}"
            )

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise InputError(f"{name} is {getattr(self, name)}, wanted {wanted}")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON can hold them."""
        return dataclasses.asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Config:
        """The settings from what `as_dict` gave."""
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
        return cls(**settings | {"columns": tuple(settings.get("columns", ()))})


PRESETS: dict[str, dict[str, Any]] = {
    # An epoch in seconds, for trying things.
    "tiny": {"num_emb": 64, "num_blocks": 2, "epochs": 5},
    # The default: the bundled corpus in minutes.
    "small": {},
    # For real headlines, which have far more words.
    "medium": {"num_emb": 128, "lr": 4e-3, "dropout": 0.2, "epochs": 10},
    # The article's, as it is: 4,284,061 parameters, pads counted.
    "article": {
        "num_tokens": 150,
        "num_emb": 32,
        "num_heads": 8,
        "num_neurons": 512,
        "epochs": 1000,
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
    """A preset's settings, with some of them changed. Raises InputError as `Config` does."""
    if preset not in PRESETS:
        raise InputError(f"preset is {preset!r}, wanted one of {', '.join(PRESETS)}")
    return Config(preset=preset, **PRESETS[preset] | changes)
