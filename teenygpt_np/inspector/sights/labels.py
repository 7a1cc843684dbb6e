"""Of a classifier: the class of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.errors import InputError
from teenygpt_np.inspector.pack import number
from teenygpt_np.inspector.sights.sight import (
    Position,
    Prediction,
    Seen,
    Sensitivity,
    Sight,
    meaning,
    sensitivity,
)
from teenygpt_np.model.module import Module
from teenygpt_np.text.tokenizer import Ids

_SAMPLE = re.compile(r".*? \d+%: (.*\S)")  # the class, its probability and the text
_SHOWN = 20  # classes, the likeliest


class LabelsSight(Sight):
    """-ln p(class | text), of the class that stands after a tab, or else of the likeliest."""

    @classmethod
    def usual(cls, lines: Sequence[str]) -> str | None:
        """The text of the first line."""
        return next((found[1] for found in map(_SAMPLE.fullmatch, lines) if found), None)

    def take(self, text: str) -> None:
        """One row, cut to what the model reads, and the class."""
        text, *given = text.split("\t")
        if len(given) > 1:
            raise InputError(
                f"--text has {len(given)} tabs, wanted a text, or a text, a tab and a class"
            )
        classes = self.config.classes
        if given and given[0] not in classes:
            known = ", ".join(classes[:_SHOWN]) + ", ..." * (len(classes) > _SHOWN)
            raise InputError(f"--text ends with the class {given[0]!r}, wanted one of {known}")
        self.ids = self.tokenizer.row(self.folded(text))[None, : self.model.body.num_tokens]
        with mg.no_grad():
            self.log_probs = self.model.log_probs(self.ids, self.lengths).data[0]
        self.label = classes.index(given[0]) if given else int(self.log_probs.argmax())
        read = self.tokenizer.decode(self.ids[0])
        self.text, self.read = f"{read} -> {classes[self.label]}", "\t".join([read, *given])
        self.signs = {"text": self.tokenizer.signs(self.ids[0])}

    @property
    def lengths(self) -> Ids:
        """(1,), the tokens of the text."""
        return np.array([self.ids.shape[1]])

    def loss(self) -> Tensor:
        """Of the one class."""
        return mg.cross_entropy(self.model(self.ids, self.lengths), np.array([self.label]))

    def seen(self, name: str, module: Module) -> Seen:
        """The text both ways or from the left, as the body reads it."""
        return Seen("text", "text", causal=not self.model.both_ways)

    def prediction(self) -> Prediction:
        """The classes, and what the loss of the one is sensitive to."""
        classes, p = self.config.classes, np.exp(self.log_probs.astype(np.float64))
        order = np.argsort(-p, kind="stable")
        top = [(classes[i], number(p[i])) for i in order if i in order[:_SHOWN] or i == self.label]
        name, loss = classes[self.label], number(-self.log_probs[self.label])
        [values] = sensitivity(self.loss, self.model.body.embedding)
        shown = f"the {_SHOWN} likeliest of " if len(top) < len(classes) else ""
        lead = (
            f"The probabilities of {shown}{len(classes)} classes. The loss is -ln p of the class "
            f"in coral. {meaning(self.signs['text'])}"
        )
        return Prediction(
            lead,
            ["class"],
            [Position(name, name, [name], loss, top)],
            [Sensitivity.to("text", values, causal=False)],
        )
