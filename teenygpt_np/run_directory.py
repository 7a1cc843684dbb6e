"""A run directory: what is in it, who may write to it, how to get a trained model out of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from minigrad import Array
from teenygpt_np import checkpoint
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.teenygpt import TeenyGPT
from teenygpt_np.text.characters import Tokenizer
from teenygpt_np.text.corpus import Corpus, load_corpus

CONFIG, METRICS, BEST, LAST = "config.json", "metrics.jsonl", "best.npz", "last.npz"
SAMPLES, TEST, LOCK = "samples", "test.json", ".lock"
REPORT = "report.html"  # the last to be written: a run that has it is finished

MAX_COUNT = 2**53  # as far as a float counts
_BEHIND_PID = 1 << 20


@dataclass(frozen=True)
class TrainedRun:
    """A model as a run left it, with what is needed to use it."""

    model: TeenyGPT
    tokenizer: Tokenizer
    config: Config
    meta: dict[str, Any]


def load_own_corpus(config: Config, tokenizer: Tokenizer | None = None) -> Corpus:
    """The text that a configuration names, in an alphabet: its own, or that of a run begun."""
    return load_corpus(
        Path(config.data) if config.data else None,
        columns=config.columns,
        alphabet=tokenizer or config.alphabet,  # type: ignore[arg-type]
        seed=config.seed,
    )


def build_model(config: Config, tokenizer: Tokenizer, rng: np.random.Generator) -> TeenyGPT:
    """A fresh model of the configured sizes."""
    return TeenyGPT(
        config.num_tokens,
        tokenizer.num_token_vals,
        config.num_emb,
        config.num_neurons,
        config.num_heads,
        config.dropout,
        config.num_blocks,
        rng=rng,
    )


def load_run(directory: Path, name: str = BEST) -> TrainedRun:
    """The best model of a run, in evaluation mode.

    Raises InputError where there is no run, or its checkpoint does not hold what it says.
    """
    path = directory / name
    if not path.is_file():
        what = "is no directory" if directory.is_file() else "is not there"
        what = f"has no {name}" if directory.is_dir() else what
        raise InputError(f"{directory} {what}; wanted a run directory, made by teenygpt_np.train")
    arrays, meta, config, tokenizer = _load(path)
    model = build_model(config, tokenizer, np.random.default_rng(0))
    weights = under(arrays, "model/")
    check_arrays(weights, model.state_dict(), path)
    model.load_state_dict(weights)
    return TrainedRun(model.eval(), tokenizer, config, meta)


def load_last(
    directory: Path, config: Config, tokenizer: Tokenizer
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and meta of a run's `last.npz`.

    Raises InputError where it is missing or damaged, or of other settings or another alphabet.
    """
    path = directory / LAST
    arrays, meta, other, alphabet = _load(path)
    then, now = other.as_dict(), config.as_dict()
    if changed := [name for name in now if then[name] != now[name]]:
        name = changed[0]
        raise InputError(f"{path} has {name} {then[name]}, {CONFIG} beside it {now[name]}")
    if alphabet != tokenizer:
        raise InputError(f"{path} has another alphabet than {CONFIG} beside it")
    return arrays, meta


def _load(path: Path) -> tuple[dict[str, Array], dict[str, Any], Config, Tokenizer]:
    arrays, meta = checkpoint.load(path)
    try:
        config, tokenizer = described(meta)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint of a run: {error}") from error
    # Before a model is built: no file may ask for more weights than it brings.
    embeddings = (config.num_tokens + tokenizer.num_token_vals) * config.num_emb
    blocks = config.num_blocks * (4 + 2 * config.num_neurons) * config.num_emb**2
    came = sum(array.size for array in arrays.values())
    if embeddings + blocks > came or config.num_blocks > len(arrays):
        raise InputError(f"{path} has fewer weights than its settings want")
    return arrays, meta, config, tokenizer


def under(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin with a prefix, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def described(description: Any) -> tuple[Config, Tokenizer]:
    """Settings and alphabet, from a config.json or a checkpoint's meta.

    Raises KeyError, TypeError or ValueError where it does not hold them.
    """
    characters = description["characters"]
    if not isinstance(characters, str):
        raise TypeError(f"characters are {type(characters).__name__}, wanted a text")
    return Config.from_dict(description["config"]), Tokenizer(characters)


def check_arrays(arrays: Mapping[str, Array], wanted: Mapping[str, Array], path: Path) -> None:
    """Raise InputError where a file's arrays have not the names, dtypes and shapes that are wanted.

    Or where one holds what is no number to go on from.
    """
    for name in sorted(arrays.keys() | wanted.keys()):
        given, want = (
            f"{a[name].dtype}{a[name].shape}" if name in a else "none" for a in (arrays, wanted)
        )
        if given != want:
            raise InputError(f"{path} has {given} as {name}, wanted {want}")
        if arrays[name].dtype.kind == "i" and not 0 <= arrays[name].min() <= MAX_COUNT:
            raise InputError(f"{path} has {arrays[name].min()} as {name}, wanted a count")
    if name := not_finite(arrays):
        raise InputError(f"{path} has NaN or infinity in {name}")


def not_finite(arrays: Mapping[str, Array]) -> str:
    """The name of the first array that holds NaN or infinity; '' where none does."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), "")


def check_new(directory: Path) -> None:
    """Raise InputError where a training has left something, be it without its config.json."""
    if (directory / CONFIG).exists():
        raise InputError(
            f"{directory} holds a run already; wanted a new --out, or --resume {directory}"
        )
    if any((directory / name).exists() for name in (METRICS, BEST, LAST, TEST, REPORT)):
        raise InputError(f"{directory} holds what is left of a run; wanted a new --out")


def check_files(directory: Path) -> None:
    """Raise InputError where a run directory holds a link or a pipe.

    What is written to one would go elsewhere, and a pipe would be waited for.
    """
    for path in (*directory.glob("*"), *(directory / SAMPLES).glob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputError(f"{path} is a link or a pipe; wanted only what train writes")


def lock(directory: Path) -> IO[bytes]:
    """Be the only process that writes to a run directory, for as long as the file stays open.

    The system lets go of it when the process ends, however it ends. Where a file system knows no
    locks, nothing is locked.

    Raises InputError where another process has it.
    """
    file = (directory / LOCK).open("a+b")
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_BEHIND_PID)  # what is locked nobody else can read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        holder = file.read(20).decode("ascii", "replace")
        file.close()
        raise InputError(f"{directory} is in use by another process, {holder}") from None
    except OSError:
        return file
    if os.fstat(file.fileno()).st_nlink == 1:  # else it is some other file as well
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
    return file
