"""Of an encoder: the tokens that are hidden in a text, from all that stands around them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.errors import InputError
from teenygpt_np.inspector.pack import number
from teenygpt_np.inspector.sights.next_token import NextTokenSight
from teenygpt_np.inspector.sights.sight import (
    HIDDEN,
    Position,
    Prediction,
    Row,
    Seen,
    Sensitivity,
    Sight,
    one_each,
    sensitivity,
)
from teenygpt_np.model.module import Module
from teenygpt_np.run_directory import TrainedRun
from teenygpt_np.text.batches import Batch
from teenygpt_np.text.tokenizer import Ids, Tokenizer
from teenygpt_np.training.objectives.masked import in_brackets
from teenygpt_np.training.objectives.masking import masked_batch

_BRACKETS = re.compile(r"\[([^][]+)\]")
_TRIES = 1000  # to hide something of a text


class MaskedSight(Sight):
    """-ln p(x[m] | all that is not hidden), summed over the hidden tokens m of a text.

    Hidden are the tokens of what stands in brackets; without brackets some are masked as those of
    a batch are, and the same ones every time.
    """

    @classmethod
    def usual(cls, lines: Sequence[str]) -> str | None:
        """The first line with brackets."""
        return next(filter(_BRACKETS.search, lines), None) or super().usual(lines)

    def take(self, text: str) -> None:
        """One row, cut to what the model reads, and the same with masks."""
        T = self.model.num_tokens
        if _BRACKETS.search(text):
            targets, hidden = _hidden(self.tokenizer, text)
            targets, hidden = targets[:T], hidden[:T]
            ids = np.where(hidden, self.model.mask, targets)
            if not hidden.any():
                raise InputError(
                    f"--text is {text!r}, wanted something in brackets that the model knows, among "
                    f"the first {T} tokens"
                )
        else:
            targets = self.tokenizer.row(self.folded(text))[:T]
            ids, hidden = self._masked(targets)
        self.ids, self.targets, self.hidden = ids[None], targets[None], hidden
        self.text = self.read = in_brackets(self.tokenizer, targets, hidden)
        self.signs = {"text": [HIDDEN if i == self.model.mask else self._sign(i) for i in ids]}

    def _masked(self, targets: Ids) -> tuple[Ids, npt.NDArray[np.bool_]]:
        """The row with masks, and what counts.    (T,) -> (T,), (T,)"""
        counted = np.arange(len(targets)) > 0
        row, rng = Batch(targets[None], counted[None]), np.random.default_rng(0)
        kinds = {"share": self.config.mask_share, "span": self.config.mask_span}
        for _ in range(_TRIES):
            found = masked_batch(row, self.tokenizer.end, self.model.mask, rng, **kinds)
            if found.masked.any():
                return found.ids[0], found.masked[0]
        raise InputError("--text has nothing hidden, wanted some of it in brackets")

    def _sign(self, token: int) -> str:
        return self.tokenizer.signs([token])[0]

    def loss(self) -> Tensor:
        """The sum over what is hidden."""
        lengths = np.array([self.ids.shape[1]])
        return self.model.masked_loss(self.ids, self.targets, self.hidden[None], lengths)

    def seen(self, name: str, module: Module) -> Seen:
        """Each token sees all."""
        return Seen("text", "text", causal=False)

    def prediction(self) -> Prediction:
        """Each hidden token, sensitive to the whole text."""
        T, places = self.ids.shape[1], np.flatnonzero(self.hidden).tolist()
        with mg.no_grad():
            logits = self.model(self.ids, lengths=np.array([T]))
            log_probs = mg.log_softmax(logits).data[0]
        signs, shown = self.tokenizer.signs(self.targets[0]), self.signs["text"]
        positions = [
            Position(
                signs[m],
                f"{signs[m]} at position {m}, which the model reads as {shown[m]}",
                [str(m), signs[m], shown[m]],
                number(-log_probs[m, self.targets[0, m]]),
                self.likeliest(log_probs[m]),
            )
            for m in places
        ]
        one, lengths = one_each(places, T), np.full(len(places), T)
        ids, targets = (np.repeat(a, len(places), axis=0) for a in (self.ids, self.targets))
        [values] = sensitivity(
            lambda: self.model.masked_loss(ids, targets, one, lengths), self.model.embedding
        )
        what = f"The text with the hidden {self.tokenizer.unit}s"
        return Prediction(
            self.lead(f"{what}; choose one of these.", positions, [*signs, *shown]),
            ["position", "hidden", "read as"],
            positions,
            [Sensitivity.to("text", values, causal=False)],
            Row(what, signs, places),
        )


class JointSight(NextTokenSight):
    """A text with brackets as an encoder reads it; any other from the left."""

    @classmethod
    def of(cls, run: TrainedRun, text: str) -> Sight:
        """The one or the other."""
        kind = MaskedSight if _BRACKETS.search(text) else NextTokenSight
        return kind(run, text)


def _hidden(tokenizer: Tokenizer, text: str) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """The row of a text without its brackets, and which tokens have something of what was in them.

    The text is encoded as a whole: a token may have letters from both sides of a bracket.
    """
    pieces = _pieces(tokenizer, text)
    _, size = tokenizer.sizes  # in bytes: a character may be several tokens
    lengths = [int(size[tokenizer.encode([piece])[0]].sum()) for piece in pieces]
    within = np.repeat(np.arange(len(pieces)) % 2 == 1, lengths)  # for each byte
    row = tokenizer.row("".join(pieces))
    places = np.flatnonzero(~np.isin(row, [tokenizer.begin, tokenizer.end]))
    ends = np.cumsum(size[row[places]])
    hidden = np.zeros(len(row), bool)
    for place, start, stop in zip(places, ends - size[row[places]], ends, strict=True):
        hidden[place] = within[start:stop].any()
    return row, hidden


def _pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """What stands outside of brackets and in them, in turn, folded as one text would be."""
    found, before = list[str](), ""
    for part in _BRACKETS.split(text):
        piece = tokenizer.fold_part(part, goes_on=True).text
        if not tokenizer.running and (not before or before.endswith(" ")):
            piece = piece.lstrip(" ")
        found.append(piece)
        before += piece
    if not tokenizer.running and before.endswith(" "):
        last = max(i for i, piece in enumerate(found) if piece)
        found[last] = found[last][:-1]
    return found
