"""Where a training stands: what decides its next steps besides arrays and random generators."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from teenygpt_np.run_directory import MAX_COUNT

_COUNTS = ("epoch", "step", "bad_epochs", "batches_done", "epoch_tokens", "epoch_units")
_SUMS = ("epoch_loss", "epoch_grad_norm", "epoch_seconds")


def _no_layers() -> dict[str, dict[str, float]]:
    return {"grad_norms": {}, "update_ratios": {}}


@dataclass
class Place:
    """The place of a training; a checkpoint has each field under its name.

    order_state: state of the batches' random generator when the epoch began
    epoch, step: how many are done.    batches_done: in the epoch.    bad_epochs: since the best one
    epoch_tokens, epoch_units, epoch_loss, epoch_grad_norm, epoch_seconds: sums over its steps
    layers: of each layer in the last step of an epoch the gradient's norm, the update ratio and, if
        there are experts, the share of the tokens that the fullest has
    best: the metrics of the best epoch.    finished: whether the training is complete
    """

    order_state: Mapping[str, Any]
    epoch: int = 0
    step: int = 0
    bad_epochs: int = 0
    batches_done: int = 0
    epoch_tokens: int = 0
    epoch_units: int = 0
    epoch_loss: float = 0.0
    epoch_grad_norm: float = 0.0
    epoch_seconds: float = 0.0
    layers: dict[str, dict[str, float]] = field(default_factory=_no_layers)
    best: dict[str, Any] | None = None
    finished: bool = False

    def as_meta(self) -> dict[str, Any]:
        """All fields by name; JSON can hold them."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], key: str) -> Place:
        """The place that `as_meta` described.    key: the score by which `best` was chosen

        Raises ArithmeticError, AttributeError, KeyError, TypeError or ValueError for anything else.
        """
        if "epoch_units" not in meta:  # older: the loss is then told of the steps that come
            meta = {**meta, "epoch_units": 0, "epoch_loss": 0.0}
        place = cls(**{name: meta[name] for name in _NAMES})
        counts = [meta[name] for name in _COUNTS]
        if not all(type(n) is int and 0 <= n <= MAX_COUNT for n in counts):
            raise ValueError(f"{', '.join(_COUNTS)} are {counts}, wanted counts")
        figures = [place.best[key] if place.best is not None else 0.0]
        figures += [meta[name] for name in _SUMS]
        for kind in _no_layers() | place.layers:
            figures += place.layers[kind].values()
        if not all(map(math.isfinite, figures)):
            raise ValueError("its figures are not finite")
        return place

    def begin_epoch(self, order_state: Mapping[str, Any]) -> None:
        """Go to the next epoch, and set the epoch's counts and sums to 0."""
        self.epoch += 1
        self.batches_done = self.epoch_tokens = self.epoch_units = 0
        self.epoch_loss = self.epoch_grad_norm = self.epoch_seconds = 0.0
        self.order_state = order_state


_NAMES = [f.name for f in dataclasses.fields(Place)]
