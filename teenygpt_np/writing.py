"""What a trained model writes, as text: it goes on from a beginning, or fills in blanks."""

from __future__ import annotations

import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from teenygpt_np.errors import InputError
from teenygpt_np.interactive import BEGINNING, Settings
from teenygpt_np.ranks import ALONE, Ranks, ranks
from teenygpt_np.run_directory import TrainedRun
from teenygpt_np.text.tokenizer import Ids
from teenygpt_np.training.objectives.next_token import LENGTH

BLANK = "_"  # in a prompt: a token to fill in
_BATCH = 64
_LONGEST = 100_000


class Writer(ABC):
    """A trained model that writes texts; the kinds differ in what a prompt is to them.

    running: whether it writes running text.    usual_length, longest: tokens of a text
    usual_number: of texts.    usual_temperature: for `sampling.choose`.    line: what a prompt is
    has_length: whether a length means anything to it
    """

    usual_temperature = 0.8
    line = BEGINNING
    has_length = True

    def __init__(self, run: TrainedRun) -> None:
        self.model, self.tokenizer = run.model, run.tokenizer
        self.running = run.tokenizer.running
        self.usual_number = 1 if self.running else 10
        self.usual_length = LENGTH if self.running else run.model.num_tokens - 1
        # Only a model of running text can read on from the middle of one.
        self.longest = _LONGEST if self.running else min(_LONGEST, run.model.most_tokens - 1)

    @abstractmethod
    def read(self, prompt: str, settings: Settings) -> Any:
        """A prompt as `batch` takes it. Raises InputError for one that it cannot use."""

    @abstractmethod
    def batch(self, read: Any, settings: Settings, size: int, rng: np.random.Generator) -> Ids:
        """The ids of so many texts, each from the same prompt."""

    def texts(
        self, prompt: str, settings: Settings, number: int, ranks: Ranks = ALONE
    ) -> Iterator[str]:
        """So many texts, in batches with random numbers of their own. Raises as `read` does.

        ranks: write a batch each at a time, and all get all texts
        """
        read = self.read(prompt, settings)
        seed: Any = ranks.from_first(np.random.SeedSequence(settings.seed).entropy)

        def batch(start: int) -> Ids:
            rng = np.random.default_rng([seed, start // _BATCH])
            return self.batch(read, settings, min(_BATCH, number - start), rng)

        at_once = ranks.count * _BATCH
        for start in range(0, number, at_once):
            starts = range(start, min(start + at_once, number), _BATCH)
            for rows in ranks.map(batch, starts):
                yield from map(self.tokenizer.decode, rows)

    def pieces(self, prompt: str, settings: Settings) -> Generator[str, None, None]:
        """The text of `texts(prompt, settings, 1)`, in pieces, each as soon as it is written."""
        yield from self.texts(prompt, settings, 1)

    def known(self, text: str, *, goes_on: bool = False) -> str:
        """A text as the tokenizer can read it; what it does not know is told.

        A space at a prompt's end asks for a new word, so it is kept; and so is one at the beginning
        of a text that goes on from something.
        """
        folded = self.tokenizer.fold_part(text, goes_on=goes_on)
        unknown = list(folded.replaced)
        if not folded.gap and any(map(str.isspace, text)):
            unknown.append("spaces")
        if unknown and ranks().is_first:
            became = "read as spaces" if folded.gap else "left out"
            print(
                f"{became}, because the model does not know them: {' '.join(unknown)}",
                file=sys.stderr,
            )
        return folded.text


class Continuing(Writer):
    """Goes on from a beginning, token by token."""

    def read(self, prompt: str, settings: Settings) -> Any:
        """The ids of a beginning. Raises InputError for one that leaves no room."""
        ids: list[int] = self.tokenizer.encode_prompt(self.known(prompt)).tolist()
        if len(ids) > settings.length:
            raise InputError(
                f"the prompt has {len(ids) - 1} characters, wanted at most {settings.length - 1}, "
                "so that one can follow"
            )
        return ids

    def batch(self, read: Any, settings: Settings, size: int, rng: np.random.Generator) -> Ids:
        """The ids of so many texts."""
        return self.model.sample(size, **self._choice(settings), prompt=read, rng=rng)

    def pieces(self, prompt: str, settings: Settings) -> Generator[str, None, None]:
        """The text, token by token."""
        ids = self.read(prompt, settings)
        rng = np.random.default_rng(settings.seed)
        drawn = self.model.stream(**self._choice(settings), prompt=ids, rng=rng)
        pending: list[int] = []
        for new in itertools.chain([ids], (column.tolist() for column in drawn)):
            pending += new
            text = self.tokenizer.decode(pending)
            if not text.endswith("\ufffd"):  # or a character still lacks some of its bytes
                yield text
                pending = []
        yield self.tokenizer.decode(pending) if pending else ""

    def _choice(self, settings: Settings) -> dict[str, Any]:
        """What `TeenyGPT.sample` is given for these settings."""
        return _of_choice(settings) | {
            "end": self.tokenizer.end,
            "length": settings.length + 1,
        }


class Filling(Writer):
    """Fills in each `BLANK` of a prompt, from left to right, by all that stands around it."""

    line = f"a text with {BLANK} for each token to fill in"
    has_length = False

    def read(self, prompt: str, settings: Settings) -> Any:
        """The ids of a text, with a mask for each blank.

        Raises InputError without a blank, and for too long a text.
        """
        if BLANK not in prompt:
            raise InputError(
                f"the prompt is {prompt!r}, wanted a text with {BLANK} for each token to fill in, "
                f"such as 'mayor {3 * BLANK}s bridge'"
            )
        tokenizer = self.tokenizer
        ids: list[int] = [] if tokenizer.running else [tokenizer.begin]
        for i, text in enumerate(prompt.split(BLANK)):
            known = self.known(text, goes_on=i > 0)
            ids += [self.model.mask] * (i > 0) + tokenizer.encode([known])[0].tolist()
        ids += [] if tokenizer.running else [tokenizer.end]
        if len(ids) > self.model.num_tokens:
            raise InputError(
                f"the prompt has {len(ids)} tokens, wanted at most {self.model.num_tokens}"
            )
        return np.array(ids)

    def batch(self, read: Any, settings: Settings, size: int, rng: np.random.Generator) -> Ids:
        """The ids of so many texts."""
        rows, lengths = _copies(read, size)
        special = self.tokenizer.special
        return self.model.fill(rows, lengths, special=special, rng=rng, **_of_choice(settings))


class Both(Continuing):
    """Fills in blanks where a prompt has any, and otherwise goes on from it."""

    line = f"{BEGINNING}; or {Filling.line}"

    def __init__(self, run: TrainedRun) -> None:
        super().__init__(run)
        self.filling = Filling(run)

    def read(self, prompt: str, settings: Settings) -> Any:
        """The ids of a text with blanks, or of a beginning."""
        return (self.filling.read if BLANK in prompt else super().read)(prompt, settings)

    def batch(self, read: Any, settings: Settings, size: int, rng: np.random.Generator) -> Ids:
        """The ids of so many texts, by one or the other."""
        batch = self.filling.batch if self.model.mask in read else super().batch
        return batch(read, settings, size, rng)

    def pieces(self, prompt: str, settings: Settings) -> Generator[str, None, None]:
        """The text, token by token unless it has blanks."""
        pieces = self.filling.pieces if BLANK in prompt else super().pieces
        return pieces(prompt, settings)


class Answering(Writer):
    """Writes a target for the source that a prompt is."""

    usual_temperature = 0.0
    line = "a source, for which the model writes the target"

    def __init__(self, run: TrainedRun) -> None:
        super().__init__(run)
        self.usual_number = 1

    def batch(self, read: Any, settings: Settings, size: int, rng: np.random.Generator) -> Ids:
        """The ids of so many targets."""
        rows, lengths = _copies(read, size)
        return self.model.sample(rows, lengths, **self._choice(settings), rng=rng)

    def _choice(self, settings: Settings) -> dict[str, Any]:
        tokenizer = self.tokenizer
        ends = {"begin": tokenizer.begin, "end": tokenizer.end, "length": settings.length + 1}
        return _of_choice(settings) | ends

    def read(self, prompt: str, settings: Settings) -> Any:
        """The ids of a source. Raises InputError for one that is empty or too long."""
        ids = self.tokenizer.row(self.known(prompt).strip(" "))
        if len(ids) == 2:
            raise InputError(
                "the source is empty, wanted a text to write a target from, as the prompt"
            )
        if len(ids) > self.model.num_tokens + 1:
            raise InputError(
                f"the source has {len(ids) - 2} tokens, wanted at most {self.model.num_tokens - 1}"
            )
        return ids[: self.model.num_tokens]


WRITERS: dict[str, type[Writer]] = {
    "next": Continuing,
    "masked": Filling,
    "joint": Both,
    "pairs": Answering,
    "preferences": Continuing,
}


def writer_of(run: TrainedRun) -> Writer:
    """The kind of writer that a run's model is, by what it was trained for.

    Raises InputError for one that writes nothing.
    """
    kind = WRITERS.get(run.config.objective)
    if kind is None:
        raise InputError("the run tells the labels of texts, as teenygpt_np.classify does")
    return kind(run)


def _copies(ids: Ids, size: int) -> tuple[Ids, Ids]:
    """So many rows of the same ids, and their lengths."""
    return np.repeat(ids[None], size, axis=0), np.full(size, len(ids))


def _of_choice(settings: Settings) -> dict[str, Any]:
    """What `sampling.choose` is given for these settings."""
    return {name: getattr(settings, name) for name in ("temperature", "top_k", "top_p")}
