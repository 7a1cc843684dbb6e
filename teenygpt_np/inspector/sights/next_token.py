"""Of a model that reads from the left: each next token of a text."""

from __future__ import annotations

import numpy as np

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.errors import InputError
from teenygpt_np.inspector.sights.sight import (
    Prediction,
    Row,
    Seen,
    Sensitivity,
    Sight,
    one_each,
    sensitivity,
)
from teenygpt_np.model.module import Module


class NextTokenSight(Sight):
    """-ln p(x[t+1] | x[0..t]), summed over a text up to its end, as `evaluate` counts it."""

    def take(self, text: str) -> None:
        """One row, cut to what the model reads."""
        self.ids = self.tokenizer.row(self.folded(text))[None, : self.model.num_tokens]
        if self.ids.shape[1] < 2:
            raise InputError(f"--text is {text!r}, wanted at least two tokens")
        self.text = self.read = self.tokenizer.decode(self.ids[0])
        self.signs = {"text": self.tokenizer.signs(self.ids[0, :-1])}

    def loss(self) -> Tensor:
        """The sum over the text."""
        return self.model.loss(self.ids, reduction="sum")

    def seen(self, name: str, module: Module) -> Seen:
        """Each token sees those before it and itself."""
        return Seen("text", "text", causal=True)

    def prediction(self) -> Prediction:
        """Each next token, sensitive to what was read before."""
        T = self.ids.shape[1] - 1
        with mg.no_grad():
            positions = self.next_tokens(
                self.ids[0], self.model.log_probs(self.ids[:, :-1]).data[0]
            )
        copies, counted = np.repeat(self.ids, T, axis=0), one_each(range(1, T + 1), T + 1)
        [values] = sensitivity(
            lambda: self.model.loss(copies, counted, reduction="sum"), self.model.embedding
        )
        targets = [p.sign for p in positions]
        what = f"The {self.tokenizer.unit}s to be predicted"
        return Prediction(
            self.lead(f"{what}.", positions, [*self.signs["text"], *targets]),
            ["after", "next"],
            positions,
            [Sensitivity.to("text", values, causal=True)],
            Row(what, targets, list(range(T))),
        )
