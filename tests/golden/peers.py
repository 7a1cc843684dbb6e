"""The same weights, batches and steps for PyTorch's model and ours."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

TRAIN = Path(__file__).parents[2] / "data" / "train.txt"
PAD, SPACE, CLS = 0, 27, 28
ADAMW: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}
SEED = 20240607
STEPS = 100
# num_tokens, num_token_vals, num_emb, num_neurons, num_heads, dropout_prob, num_blocks
SIZES = {
    "t40": (40, 29, 16, 4, 4, 0.0, 2),  # nearly every headline is cut
    "t80": (80, 29, 32, 8, 8, 0.0, 3),  # some cut, most padded
    "article": (150, 29, 32, 512, 8, 0.0, 4),
}
BATCH_SIZES = {"t40": 8, "t80": 4, "article": 32}


@contextlib.contextmanager
def of_the_extra_bench() -> Iterator[None]:
    """If an import in this block fails, the script ends with a line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        needed = f"this needs {error.name}, which the extra 'bench' has: pip install -e '.[bench]'"
        print(needed, file=sys.stderr)
        sys.exit(2)


def weights(like: Mapping[str, Any], seed: int) -> dict[str, Array]:
    """A float32 array for each entry of the state_dict `like`, about the size of the article's.

    From PCG64's raw numbers, which are the same in every version of NumPy. Biases are not 0 and
    norms not 1, so that a model which leaves one out gives other results.
    """
    bits = np.random.PCG64(seed)
    made = {}
    for name in sorted(like):
        shape = tuple(like[name].shape)
        uniform = (bits.random_raw(math.prod(shape)) >> 11) * 2.0**-52 - 1  # in [-1, 1)
        spread = math.sqrt(3) if "embedding" in name else 1 / math.sqrt(shape[-1])
        centre = 1 if "layer_norm" in name and name.endswith("weight") else 0
        made[name] = (centre + spread * uniform.reshape(shape)).astype(np.float32)
    return made


def batches(size: str) -> Array:
    """The first headlines of the bundled corpus.    -> ids: (STEPS, B, T)"""
    count, num_tokens = BATCH_SIZES[size], SIZES[size][0]
    headlines = TRAIN.read_text(encoding="utf-8").splitlines()[: STEPS * count]
    rows = [token_row(headline, num_tokens) for headline in headlines]
    return np.array(rows).reshape(STEPS, count, num_tokens)


def token_row(headline: str, num_tokens: int) -> list[int]:
    """cls, the characters, then pads; cut to num_tokens."""
    letters = [SPACE if c == " " else ord(c) - ord("a") + 1 for c in headline]
    row = [CLS, *letters][:num_tokens]
    return row + [PAD] * (num_tokens - len(row))


def train(model: Any, optimizer: Any, batches: Iterable[Any]) -> list[float]:
    """One step on each batch, with either engine; the loss before each step."""
    losses = []
    for x in batches:
        optimizer.zero_grad()
        loss = model.loss(x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def relative_to_largest(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest entry of PyTorch's."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def thinned(gradient: Array) -> Array:
    """What a golden keeps of a gradient: all of it, or every 61st entry of a large one.

    61 divides no size here, so every column and every part of a tile is included.
    """
    flat = gradient.ravel()
    return flat if flat.size < 2**14 else flat[::61]
