"""The interface of an objective, which is all that the trainer and its log know of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad import Tensor
from teenygpt_np.config import Config
from teenygpt_np.ranks import Map, alone
from teenygpt_np.text.batches import Rows, Split
from teenygpt_np.text.tokenizer import Ids, Tokenizer

# Of the balance among experts, beside a loss per token: Switch Transformers, 2021,
# arXiv:2101.03961, section 2.2. Ours is per row, so each counted token has it. Without that factor
# three runs (tiny, 3 epochs, 8 experts, 2 active, seeds 0 to 2) ended at 35.4 test nats on average
# instead of 35.1, and the fullest expert had 34 to 47% of the tokens instead of 30 to 33%, where
# equal shares are 25%.
BALANCE = 0.01


class Loss(NamedTuple):
    """What a step minimizes, and what is told of it: `nats` summed over the batch's `units`."""

    minimized: Tensor
    nats: float
    units: int


class Objective(ABC):
    """What a model is trained for: the batches, their loss, and the score of the best epoch.

    score: the name of that score, in `scores`; lower is better
    top1: the name of the share that is right, which is told as top1_said
    unit, digits: what the score is per, in words, and how many of its digits are told
    of_text: whether the score is that of whole texts, which the grammar's can be compared with
    samples: how many texts an epoch's file has, how many of them are told, and how many at the end
    written: what is told before those at the end
    command, prompt: what a finished run is for, and what that should be given
    padded: whether padding counts, and rows of any lengths share a batch
    refers: whether its loss needs what `prepared` adds to a split
    """

    score: str
    top1: str
    top1_said: str = "top-1"
    unit: str
    digits: int = 2
    of_text: bool = True
    padded: bool = False
    refers: bool = False
    samples: tuple[int, int, int] = (64, 3, 10)
    written: str
    command: str = "sample"
    prompt: str = ""

    def __init__(self, config: Config, tokenizer: Tokenizer) -> None:
        self.config, self.tokenizer = config, tokenizer

    def rows_per_batch(self, split: Split, batch_size: int, batch_tokens: int) -> int:
        """batch_size, or more where rows are so short that it makes less than batch_tokens."""
        return split.rows_per_batch(batch_size, batch_tokens, padded=self.padded)

    def order(self, split: Split, batch_size: int, rng: np.random.Generator) -> list[Ids]:
        """The rows of each batch of an epoch."""
        return split.shuffled(batch_size, rng, padded=self.padded)

    def trial(self, num_tokens: int) -> Split:
        """Two rows of num_tokens tokens, to compile all kernels with."""
        starts, lengths = np.array([0, num_tokens]), np.full(2, num_tokens)
        ids = np.ones(2 * num_tokens, self.tokenizer.dtype)
        return Rows(ids, starts, lengths, self.tokenizer, num_tokens)

    def prepared(self, base: Any, split: Split, each: Map = alone) -> Split:
        """The split with what the loss needs of the base, which fine-tuning began from.

        each: as for `scores`
        """
        return split

    def known(self, split: Split) -> Split:
        """A split of another text, as a model of these settings has learned to read it.

        Raises InputError for what the model does not know.
        """
        return split

    @abstractmethod
    def batch(self, split: Split, rows: Ids, rng: np.random.Generator) -> Any:
        """The batch of these rows, as `loss` takes it."""

    @abstractmethod
    def loss(self, model: Any, batch: Any) -> Loss:
        """The loss of a batch."""

    @abstractmethod
    def scores(self, model: Any, split: Split, each: Map = alone) -> dict[str, float]:
        """All scores of a model on a split, `score` and `top1` among them.

        each: does the work on each batch, in several processes or in one
        """

    @abstractmethod
    def baselines(self, train: Split, split: Split) -> dict[str, dict[str, float]]:
        """Scores of simple guesses on a split, by their names: `score`, `top1` and others."""

    @abstractmethod
    def write(
        self, model: Any, split: Split, number: int, rng: np.random.Generator
    ) -> Sequence[str]:
        """So many texts by the model.    split: of the run, should it need texts to begin with"""

    def in_other_units(self, scores: Mapping[str, float]) -> str:
        """The scores of the best model on the test split, told in other units too; '' for none."""
        return ""
