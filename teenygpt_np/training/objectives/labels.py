"""Labels: what a classifier is trained for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import minigrad as mg
from minigrad import Array
from teenygpt_np.errors import InputError
from teenygpt_np.model.classifier import Classifier
from teenygpt_np.ranks import Map, alone
from teenygpt_np.text.batches import Split, in_batches
from teenygpt_np.text.labels import Labelled
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.training.objectives.objective import Loss, Objective


class LabelBatch(NamedTuple):
    """ids: (B, T).    lengths: (B), the tokens of each text.    labels: (B), their numbers"""

    ids: Ids
    lengths: Ids
    labels: Ids
    counted: npt.NDArray[np.bool_]


class Labels(Objective):
    """-ln p(label | text), in nats, and averaged over the texts of a batch."""

    score, top1, top1_said, unit, digits = "label_nats", "accuracy", "accuracy", "text", 3
    of_text = False
    command, prompt = "classify", " FILE"
    written = "ten texts of the validation split, and what it takes them for"

    def trial(self, num_tokens: int) -> Split:
        """Two rows of num_tokens tokens, of the first class."""
        ids = np.ones(2 * num_tokens, self.tokenizer.dtype)
        split = Labelled.of_ids(ids, np.full(2, num_tokens), 1, self.tokenizer).cut(num_tokens)
        return dataclasses.replace(split, numbers={"label": np.zeros(2, np.uint16)})

    def known(self, split: Any) -> Labelled:
        """The split with the numbers that the labels have in the model."""
        numbers = {label: number for number, label in enumerate(self.config.classes)}
        if unknown := [label for label in split.classes if label not in numbers]:
            raise InputError(
                f"a text has the label {unknown[0]!r}, wanted one that the model knows: "
                f"{', '.join(map(repr, numbers))}"
            )
        own = np.array([numbers[label] for label in split.classes], np.uint16)
        known: Labelled = dataclasses.replace(split, classes=self.config.classes)
        return known.with_numbers(label=own[split.numbers["label"]])

    def batch(self, split: Any, rows: Ids, rng: np.random.Generator) -> LabelBatch:
        """The batch of these rows."""
        ids, counted = split.batch(rows)
        lengths = counted.sum(axis=1) + 1  # all count but the first
        return LabelBatch(ids, lengths, split.numbers["label"][rows].astype(np.int64), counted)

    def loss(self, model: Classifier, batch: LabelBatch) -> Loss:
        """The loss of a batch, per text."""
        loss = mg.cross_entropy(model(batch.ids, batch.lengths), batch.labels)
        return Loss(loss, loss.item() * len(batch.labels), len(batch.labels))

    def scores(self, model: Classifier, split: Any, each: Map = alone) -> dict[str, float]:
        """label_nats per text; accuracy, the share that is right; `recall of C` for each class C.

        recall: the share of a class's texts that are taken for it. A split is scored as a whole.
        """
        log_probs, labels = self._log_probs(model, split, split.in_order, each)
        right = log_probs.argmax(axis=1) == labels
        scores = {
            "label_nats": float(-log_probs[np.arange(len(labels)), labels].mean(dtype=np.float64)),
            "accuracy": float(right.mean()),
        }
        for number, name in enumerate(split.classes):
            of_class = right[labels == number]
            if len(of_class):
                scores[f"recall of {name}"] = float(of_class.mean())
        return scores

    def _log_probs(
        self, model: Classifier, split: Any, which: Ids, each: Map = alone
    ) -> tuple[Array, Ids]:
        def found(rows: Ids) -> tuple[Array, Ids]:
            batch = self.batch(split, rows, np.random.default_rng(0))
            return model.log_probs(batch.ids, batch.lengths).data, batch.labels

        with model.evaluating(), mg.no_grad():
            log_probs, labels = zip(*each(found, in_batches(which)), strict=True)
        return np.concatenate(log_probs), np.concatenate(labels)

    def baselines(self, train: Any, split: Any) -> dict[str, dict[str, float]]:
        """majority: the shares of the classes in train, whatever the text is."""
        V = len(train.classes)
        n = np.bincount(train.numbers["label"], minlength=V)
        p = (n + 1) / (n.sum() + V)
        labels = split.numbers["label"]
        return {
            "majority": {
                "label_nats": float(-np.log(p[labels]).mean()),
                "accuracy": float((labels == n.argmax()).mean()),
            }
        }

    def write(
        self, model: Classifier, split: Any, number: int, rng: np.random.Generator
    ) -> list[str]:
        """Texts of the split, each after the likeliest label and its probability."""
        which = split.in_order[:: max(len(split) // number, 1)][:number]
        log_probs, _ = self._log_probs(model, split, which)
        texts = split.select(which).texts()
        return [
            f"{split.classes[row.argmax()]} {np.exp(row.max()):.0%}: {text}"
            for row, text in zip(log_probs, texts, strict=True)
        ]

    def in_other_units(self, scores: Mapping[str, float]) -> str:
        """How many of each class are found."""
        found = (f"{v:.1%} {name}" for name, v in scores.items() if name.startswith("recall of "))
        return ", ".join(found)
