"""Of an encoder and a decoder: each next token of a target, from its source."""

from __future__ import annotations

from collections.abc import Sequence

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
from teenygpt_np.model.encoder_decoder import CrossAttention
from teenygpt_np.model.module import Module
from teenygpt_np.text.tokenizer import Ids

_ARROW = " -> "  # between a source and its target, as in the samples


class PairsSight(Sight):
    """-ln p(target | source), summed over the target's tokens.

    The target stands after a tab; without one it is the likeliest that the model writes, token by
    token.
    """

    @classmethod
    def usual(cls, lines: Sequence[str]) -> str | None:
        """The source of the first line."""
        line = super().usual(lines)
        return None if line is None else line.partition(_ARROW)[0]

    def take(self, text: str) -> None:
        """The source and its target, cut to what the model reads."""
        source, *given = text.split("\t")
        if len(given) > 1:
            raise InputError(
                f"--text has {len(given)} tabs, wanted a source, or a source, a tab and a target"
            )
        if given and not given[0].strip():
            raise InputError("--text has no target after its tab, wanted one, or no tab")
        self.source = self._row(source)
        self.target = self._row(given[0]) if given else self._written()
        texts = [self.tokenizer.decode(row[0]) for row in (self.source, self.target)]
        self.text, self.read = _ARROW.join(texts), "\t".join(texts[: 1 + len(given)])
        self.signs = {
            "source": self.tokenizer.signs(self.source[0]),
            "target": self.tokenizer.signs(self.target[0, :-1]),
        }

    def _row(self, text: str) -> Ids:
        return self.tokenizer.row(self.folded(text))[None, : self.model.num_tokens]

    def _written(self) -> Ids:
        """The target that the model writes, up to its end.    -> (1, t)"""
        begin, end = self.tokenizer.begin, self.tokenizer.end
        ids = self.model.sample(self.source, self.lengths, begin=begin, end=end, temperature=0)[0]
        ended = np.append(np.flatnonzero(ids == end), len(ids) - 1)
        return ids[None, : ended[0] + 1]

    @property
    def lengths(self) -> Ids:
        """(1,), the tokens of the source."""
        return np.array([self.source.shape[1]])

    def loss(self) -> Tensor:
        """The sum over the target."""
        return self.model.loss(self.source, self.lengths, self.target, reduction="sum")

    def seen(self, name: str, module: Module) -> Seen:
        """The encoder sees all of the source; the decoder that, and the target so far."""
        if isinstance(module, CrossAttention):
            return Seen("target", "source", causal=False)
        if name.startswith("encoder_blocks."):
            return Seen("source", "source", causal=False)
        return Seen("target", "target", causal=True)

    def prediction(self) -> Prediction:
        """Each next token of the target, sensitive to the target so far and to the source."""
        model, ids = self.model, self.target[0]
        T = len(ids) - 1
        with mg.no_grad():
            logits = model(self.source, self.lengths, self.target[:, :-1])
            positions = self.next_tokens(ids, mg.log_softmax(logits).data[0])
        source, lengths, target = (
            np.repeat(a, T, axis=0) for a in (self.source, self.lengths, self.target)
        )
        counted = one_each(range(1, T + 1), T + 1)
        of_source, of_target = sensitivity(
            lambda: model.loss(source, lengths, target, counted, reduction="sum"), model.embedding
        )
        targets = [p.sign for p in positions]
        what = f"The {self.tokenizer.unit}s of the target"
        return Prediction(
            self.lead(f"{what}, to be predicted.", positions, [*self.signs["source"], *targets]),
            ["after", "next"],
            positions,
            [
                Sensitivity.to("target", of_target, causal=True),
                Sensitivity.to("source", of_source, causal=False),
            ],
            Row(what, targets, list(range(T))),
        )
