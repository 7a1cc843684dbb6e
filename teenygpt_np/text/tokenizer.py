"""The interface of a tokenizer, which is all that other modules use; `tokenizers` has the kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from teenygpt_np.text.folding import Folded

Ids = npt.NDArray[np.int64]


class Tokenizer(ABC):
    """Text to token ids and back. It alone knows what an id means."""

    kind: ClassVar[str]  # its name in `tokenizers.TOKENIZERS` and in a run's config.json

    @property
    @abstractmethod
    def pad(self) -> int:
        """The id that fills a row after its end."""

    @property
    @abstractmethod
    def begin(self) -> int:
        """The id that stands before every text."""

    @property
    @abstractmethod
    def end(self) -> int:
        """The id that ends a text; it may be `pad`."""

    @property
    @abstractmethod
    def num_token_vals(self) -> int:
        """V: how many token values there are, with those that stand for no text."""

    @abstractmethod
    def fold(self, text: str) -> Folded:
        """Change a text as far as needed so that the tokenizer can encode it."""

    @abstractmethod
    def encode_batch(self, texts: Sequence[str], num_tokens: int) -> tuple[Ids, Ids]:
        """`begin`, the text's tokens, then pads; longer texts are cut.

        N texts -> ids: (N, T), lengths: (N,), which count a row's tokens up to and including the
        one that ends it.
        """

    @abstractmethod
    def encode_prompt(self, text: str) -> Ids:
        """`begin` and the text's tokens, without an end, to be continued.    text -> (1 + t,)"""

    @abstractmethod
    def decode(self, ids: npt.ArrayLike) -> str:
        """The text of a row of ids, up to its end.    (T,) -> text"""

    @abstractmethod
    def signs(self, ids: Iterable[int]) -> list[str]:
        """A sign to show for each id, also for those that stand for no text."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """All that another process needs to make the same tokenizer; JSON can hold it."""

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any]) -> Tokenizer:
        """The tokenizer described. Raises KeyError, TypeError or ValueError if it is none."""
