"""The interface of a sight, which is all that the page and the listing know of an objective."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import minigrad as mg
from minigrad import Array, Tensor
from teenygpt_np.errors import InputError
from teenygpt_np.inspector.pack import number, packed
from teenygpt_np.model.module import Module
from teenygpt_np.run_directory import TrainedRun
from teenygpt_np.text.tokenizer import Ids

HIDDEN = "▒"  # the sign of the token that is read where another is hidden
_MEANINGS = {
    "▷": "the beginning of a text",
    "⏎": "its end",
    "␣": "a space",
    HIDDEN: "what is hidden",
}
_LIKELIEST = 5
_BEFORE = 12  # tokens shown before a predicted one


@dataclass(frozen=True)
class Seen:
    """What an attention map's rows and columns are of, and whether row t ends at column t."""

    rows: str
    columns: str
    causal: bool


@dataclass(frozen=True)
class Position:
    """A prediction.

    sign: what was right.    title: the same with where it stands.    cells: the same in a table
    loss: in nats.    top: the likeliest first, each as sign and probability
    """

    sign: str
    title: str
    cells: list[str]
    loss: float | None
    top: list[tuple[str, float | None]]


@dataclass(frozen=True)
class Sensitivity:
    """What N losses are sensitive to.    of: a key of `Sight.signs`

    values: (N, T), packed.    causal: whether loss t cannot depend on what comes after token t
    """

    of: str
    causal: bool
    values: dict[str, Any]

    @classmethod
    def to(cls, of: str, values: Array, *, causal: bool) -> Sensitivity:
        """Of these numbers."""
        return cls(of, causal, packed(values, lower=causal))


@dataclass(frozen=True)
class Row:
    """The text in which a prediction is chosen.    places: where each prediction stands in it"""

    label: str
    signs: list[str]
    places: list[int]


@dataclass(frozen=True)
class Prediction:
    """What is predicted, and what it comes from.    columns: the titles of the positions' cells

    row: None where there is nothing to choose
    """

    lead: str
    columns: list[str]
    positions: list[Position]
    sensitivity: list[Sensitivity]
    row: Row | None = None


class Sight(ABC):
    """A text as a trained model reads it, and what is shown of it; the kinds differ in the loss.

    text: what is read and predicted, to be shown.    read: the same in the form of --text
    signs: what the model reads, a sign for each token, by what it is of: 'text', or 'source' and
    'target'

    Raises InputError for a text that the model cannot read.
    """

    text: str
    read: str
    signs: dict[str, list[str]]

    def __init__(self, run: TrainedRun, text: str) -> None:
        self.model, self.tokenizer, self.config = run.model, run.tokenizer, run.config
        for parameter in self.model.parameters():
            parameter.requires_grad = True  # what is frozen in training is shown, too
        self.take(text)

    @classmethod
    def of(cls, run: TrainedRun, text: str) -> Sight:
        """The sight of this text."""
        return cls(run, text)

    @classmethod
    def usual(cls, lines: Sequence[str]) -> str | None:
        """The text to show if none is given, from the lines of a run's samples; None for none."""
        return next(filter(str.strip, lines), None)

    @abstractmethod
    def take(self, text: str) -> None:
        """Set `text`, `read`, `signs`, and what the loss is computed from."""

    @abstractmethod
    def loss(self) -> Tensor:
        """The loss of the text, in nats."""

    @abstractmethod
    def seen(self, name: str, module: Module) -> Seen:
        """What this module's attention maps are of.    name: its name in the model"""

    @abstractmethod
    def prediction(self) -> Prediction:
        """What is predicted, and what each prediction's loss is sensitive to."""

    @property
    def size(self) -> int:
        """How many tokens the model reads."""
        return sum(map(len, self.signs.values()))

    def folded(self, text: str) -> str:
        """The text as the tokenizer can read it. Raises InputError if that leaves nothing of it."""
        folded: str = self.tokenizer.fold(text).text
        if not folded:
            raise InputError(
                f"--text is {text!r}, wanted at least one character of the model's alphabet"
            )
        return folded

    def likeliest(self, log_probs: Array) -> list[tuple[str, float | None]]:
        """The likeliest tokens, each as sign and probability.    log_probs: (V,)"""
        found = np.argsort(-log_probs, kind="stable")[:_LIKELIEST]
        signs = self.tokenizer.signs(found)
        return [(s, number(math.exp(log_probs[i]))) for s, i in zip(signs, found, strict=True)]

    def next_tokens(self, ids: Ids, log_probs: Array) -> list[Position]:
        """Each token after the first, from those before it.    ids: (T + 1), log_probs: (T, V)"""
        signs = self.tokenizer.signs(ids)
        found = []
        for t, row in enumerate(log_probs):
            before, sign = "".join(signs[max(0, t + 1 - _BEFORE) : t + 1]), signs[t + 1]
            title, loss = f"{sign} after “{before}”", number(-row[ids[t + 1]])
            found.append(Position(sign, title, [signs[t], sign], loss, self.likeliest(row)))
        return found

    def lead(self, what: str, positions: Sequence[Position], signs: Iterable[str]) -> str:
        """What is predicted, how its losses are shown, and what the signs mean."""
        total = sum(math.nan if p.loss is None else p.loss for p in positions)
        return (
            f"{what} The stronger the colour, the larger the loss; the sum is {total:.4g} nats. "
            f"{meaning(signs)}"
        )


def sensitivity(loss: Callable[[], Tensor], embedding: Module) -> list[Array]:
    """|d loss / d embedding|, the norm of that gradient, each time that tokens are read.  -> (B, T)

    With a batch of B copies of a row, of each of which another loss counts (`one_each`), these are
    the sensitivities of all losses, one alone in each row.
    """
    with mg.tracing():
        total = loss()
        total.backward()
    read = [n.grad for n in mg.trace(total).nodes if n.operation and embedding in n.scope]
    return [np.linalg.norm(np.asarray(grad), axis=-1) for grad in read]


def one_each(places: Sequence[int], width: int) -> npt.NDArray[np.bool_]:
    """Row i has True at places[i] alone.    -> (N, width)"""
    found = np.zeros((len(places), width), bool)
    found[np.arange(len(places)), places] = True
    return found


def meaning(signs: Iterable[str]) -> str:
    """What those of the signs stand for that stand for no character that can be seen."""
    there = set("".join(signs))  # a token may be a space and letters
    told = ", ".join(f"{sign} {what}" for sign, what in _MEANINGS.items() if sign in there)
    return f"{told.replace(' ', ' is ', 1)}." if told else ""
