"""Which optimizer trains which parameter, and the learning-rate schedule."""

from __future__ import annotations

from functools import partial
from typing import Any

from minigrad import Tensor
from minigrad.optim import AdamW, Muon, Optimizer, Schedule, constant, cosine, warmup
from teenygpt_np.config import Config
from teenygpt_np.model.module import Module


def make_optimizers(model: Module, config: Config) -> dict[str, Optimizer]:
    """The optimizers by name, each with its parameters; one without parameters is left out.

    The modules say which of their matrices Muon may train, if the configuration asks for it, and
    which parameters have no weight decay. A parameter that requires no gradient has no optimizer.
    """
    for_muon = set(model.marked("muon")) if config.optimizer == "muon" else set()
    without_decay = set(model.marked("no_decay"))
    makers: dict[str, Any] = {
        "adamw": partial(AdamW, weight_decay=config.weight_decay),
        "muon": partial(Muon, weight_decay=config.weight_decay),
        "adamw-no-decay": partial(AdamW, weight_decay=0.0),
    }
    parameters: dict[str, list[Tensor]] = {name: [] for name in makers}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            chosen = "adamw-no-decay" if name in without_decay else "adamw"
            parameters["muon" if name in for_muon else chosen].append(parameter)
    return {n: make(parameters[n], lr=config.lr) for n, make in makers.items() if parameters[n]}


def make_schedule(config: Config, steps: int) -> Schedule:
    """The learning-rate schedule of `steps` steps: linear warmup, then cosine decay or constant."""
    final = config.lr * config.decay_to
    lr = cosine(config.lr, steps, final) if config.decay else constant(config.lr)
    return warmup(rising, lr) if (rising := warmup_steps(config, steps)) else lr


def warmup_steps(config: Config, steps: int) -> int:
    """As configured, but at most a tenth of all steps: a short run has to reach lr as well."""
    return min(config.warmup_steps, steps // 10)
