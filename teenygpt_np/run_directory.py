"""A run directory: its files, its lock, and loading a trained model from it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

import numpy as np

from minigrad import Array, Tensor
from teenygpt_np import checkpoint, locking
from teenygpt_np.config import Config
from teenygpt_np.errors import InputError
from teenygpt_np.model.building import Model, build_model, outline, with_positions
from teenygpt_np.model.module import Module
from teenygpt_np.text.corpus import Corpus, Reading, load_corpus
from teenygpt_np.text.saved import Tell
from teenygpt_np.text.tokenizer import Tokenizer
from teenygpt_np.text.tokenizers import described_tokenizer

CONFIG, METRICS, BEST, LAST = "config.json", "metrics.jsonl", "best.npz", "last.npz"
SAMPLES, TEST, LOCK = "samples", "test.json", ".lock"
TEXT = "text.txt"  # what was read from standard input
REPORT = "report.html"  # written last, so a run that has it is finished
_OWN = (CONFIG, METRICS, BEST, LAST, TEST, LOCK, TEXT, REPORT)

FORMAT = 2  # of config.json and of a checkpoint's description; without a number it is 1
# Settings that a run may go on with others of. Its text may have moved, but is known by its hash.
MAY_CHANGE = ("data", "more_data", "epochs", "max_steps", "patience")
MAX_COUNT = 2**53  # as far as a float counts
_MAX_CONFIG = 1 << 20  # characters; a longer file is cut, and so is no JSON


@dataclass(frozen=True)
class TrainedRun:
    """A trained model, with what is needed to use it.    meta: the description in its checkpoint"""

    model: Model
    tokenizer: Tokenizer
    config: Config
    meta: dict[str, Any]


def load_own_corpus(
    config: Config, folder: Path, tokenizer: Tokenizer | None = None, tell: Tell = lambda text: None
) -> Corpus:
    """Load the text that a configuration names.

    folder: where run directories are, and the ids of large texts.    tokenizer: that of a run
    already begun.    tell: is called with how far it is
    """
    return load_corpus(
        [Path(path) for path in config.paths] or None,
        tokenizer,
        folder,
        tell,
        **{field.name: getattr(config, field.name) for field in dataclasses.fields(Reading)},
    )


def load_run(directory: Path, name: str = BEST, seen: Collection[Path] = ()) -> TrainedRun:
    """Load the best model of a run, in evaluation mode.

    name: the checkpoint's file    seen: as of `load_base`

    Raises InputError if there is no run, or if its checkpoint is damaged or does not fit together.
    """
    path = directory / name
    if not path.is_file():
        what = "is no directory" if directory.is_file() else "is not there"
        what = f"has no {name}" if directory.is_dir() else what
        raise InputError(f"{directory} {what}; wanted a run directory, made by teenygpt_np.train")
    arrays, meta, config, tokenizer = _load(path)
    model = build_model(config, tokenizer.num_token_vals, np.random.default_rng(0))
    if config.is_frozen:
        take_base(model, load_base(config, directory.parent, seen).model)
    model.load_state_dict(model.state_dict() | under(arrays, "model/"))
    return TrainedRun(model.eval(), tokenizer, config, meta)


def load_base(config: Config, folder: Path, seen: Collection[Path] = ()) -> TrainedRun:
    """Load the run that one with these settings, in this folder, was fine-tuned from.

    It is where it was, or, if both have moved, in the same folder under its old name.
    seen: the runs that are being loaded, each the base of the one before

    Raises InputError if it is in neither place, or is no longer the same.
    """
    places = dict.fromkeys((Path(config.base), folder / Path(config.base).name))
    there = next((place for place in places if (place / BEST).is_file()), None)
    if there is None or there.resolve() in seen:
        raise InputError(
            f"the base of this run, the one that it was fine-tuned from, is not there: wanted it "
            f"at {' or at '.join(map(str, places))}"
        )
    base = load_run(there, seen=(*seen, there.resolve()))
    if weights_hash(base.model.merged_state()) != config.base_hash:
        raise InputError(
            f"{there} is not the run that the fine-tuning began from: its weights differ"
        )
    return base


def take_base(model: Model, base: Model) -> None:
    """Give a model the weights of the one that it is fine-tuned from.

    What the base has not is the head of a classifier and what LoRA adds, which begin anew and are
    in the run's own checkpoint, and the row of the mask's token: it begins as the mean of the other
    rows, so that where the embedding is frozen it is known from the base alone.

    Raises InputError if the base lacks any other weight.
    """
    own, weights = model.state_dict(), base.merged_state()
    for name, array in own.items():
        path = name.removeprefix("body.")  # a classifier has the base as its body
        given = weights.get(name, weights.get(path))
        if given is not None and given.shape == array.shape:
            own[name] = given
        elif given is not None and path == "embedding.weight" and len(given) + 1 == len(array):
            own[name] = np.concatenate([given, given.mean(axis=0, keepdims=True)])
        elif not path.startswith(("head.", "lora.")):
            raise InputError(
                f"the model to be tuned has {array.shape} as {path}, its base "
                f"{'none' if given is None else given.shape}: the one is not made of the other"
            )
    model.load_state_dict(own)


def weights_hash(weights: Mapping[str, Array]) -> str:
    """SHA-256 of the names and values of weights, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].dtype} {weights[name].shape}".encode())
        digest.update(np.ascontiguousarray(weights[name]).data)
    return digest.hexdigest()


def load_last(
    directory: Path, config: Config, tokenizer: Tokenizer
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Load the arrays and meta of a run's `last.npz`.

    Raises InputError if it is missing or damaged, or has other settings or another tokenizer.
    """
    path = directory / LAST
    arrays, meta, other, alphabet = _load(path)
    then, now = other.as_dict(), config.as_dict()
    if changed := [name for name in now if then[name] != now[name] and name not in MAY_CHANGE]:
        name = changed[0]
        raise InputError(f"{path} has {name} {then[name]}, wanted {now[name]} as in {CONFIG}")
    if alphabet != tokenizer:
        raise InputError(f"{path} has another alphabet than {CONFIG} has")
    return arrays, meta


def _load(path: Path) -> tuple[dict[str, Array], dict[str, Any], Config, Tokenizer]:
    arrays, meta = checkpoint.load(path)
    try:
        config, tokenizer = described(meta)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint of a run: {error}") from error
    # Checked before a model is built, so that a file cannot ask for more memory than it fills.
    parameters = trained(outline(config, tokenizer.num_token_vals), "model/")
    weights = {name: array for name, array in arrays.items() if name.startswith("model/")}
    check_arrays(weights, parameters, path)
    return arrays, meta, config, tokenizer


def trained(model: Module, prefix: str = "") -> dict[str, Tensor]:
    """The parameters that training changes, by name."""
    return {n: p for n, p in model.named_parameters(prefix) if p.requires_grad}


def under(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin with a prefix, by their names without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def description(config: Config, tokenizer: Tokenizer) -> dict[str, Any]:
    """Settings and tokenizer as config.json and checkpoints hold them, for `described` to read."""
    return {
        "format": FORMAT,
        "config": with_positions(config).as_dict(),
        "tokenizer": tokenizer.description(),
    }


def described(description: Any) -> tuple[Config, Tokenizer]:
    """Settings and tokenizer, from a config.json or a checkpoint's meta.

    Raises KeyError, TypeError or ValueError if they are missing or wrong, or the format is newer.
    """
    if not isinstance(description, dict):
        raise TypeError(f"it is {description!r:.20}, wanted an object")
    found = description.get("format", 1)
    if found not in range(1, FORMAT + 1):
        raise ValueError(
            f"it is of format {found!r:.20}, wanted 1..{FORMAT}; a newer teenygpt_np may read it"
        )
    for key in ("config", "characters" if found == 1 else "tokenizer"):
        if key not in description:
            raise KeyError(f"it has no {key}")
    if found == 1:
        tokenizer = {"kind": "characters", "characters": description["characters"]}
    else:
        tokenizer = description["tokenizer"]
    return Config.from_dict(description["config"]), described_tokenizer(tokenizer)


def check_arrays(
    arrays: Mapping[str, Array], wanted: Mapping[str, Array | Tensor], path: Path
) -> None:
    """Check that a file's arrays have the names, dtypes and shapes that are wanted.

    Raises InputError for the first that has not, or that holds NaN, infinity or a negative count.
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
    """The name of the first array that holds NaN or infinity; '' if none does."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), "")


def check_directory(directory: Path) -> None:
    """Raise InputError if no directory can be there, because a file is there or above it."""
    for path in (directory, *directory.parents):
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file; wanted a new directory")


def check_not_own(out: Path) -> None:
    """Raise InputError if a file to be written is one of those that a run directory is made of."""
    out = out.resolve()
    run = out.parent.parent if out.parent.name == SAMPLES else out.parent
    if (run / CONFIG).exists() and (run != out.parent or out.name in _OWN):
        raise InputError(f"{out} is a file of a run, wanted another one to write to")


def check_new(directory: Path) -> None:
    """Raise InputError if a directory holds files of a run, even if config.json is missing."""
    if (directory / CONFIG).exists():
        raise InputError(
            f"{directory} holds a run already; wanted a new --out, or --resume {directory}"
        )
    if any((directory / name).exists() for name in (METRICS, BEST, LAST, TEST, REPORT)):
        raise InputError(f"{directory} holds files of another run; wanted a new --out")


def begin(directory: Path, description: Mapping[str, Any]) -> None:
    """Make a run's directory and write its config.json. Raises InputError as `check_new` does."""
    check_new(directory)
    (directory / SAMPLES).mkdir(parents=True, exist_ok=True)
    checkpoint.write_json(directory / CONFIG, description)


def save_text(directory: Path, source: BufferedIOBase) -> str:
    """Copy all of an open file to a run's directory, whole or not at all; returns its path."""
    path = directory / TEXT
    with checkpoint.atomic_file(path) as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return os.path.abspath(path)


def discard_text(directory: Path) -> None:
    """Remove what a run has before it begins: the text and the lock's file."""
    for name in (TEXT, LOCK):
        (directory / name).unlink(missing_ok=True)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove these folders, in their order, but for those that hold something."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def read_description(directory: Path) -> tuple[dict[str, Any], Config, Tokenizer]:
    """Read a run's config.json: its content, and the settings and the tokenizer in it.

    Raises InputError if it is missing, or holds something else.
    """
    path = directory / CONFIG
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(_MAX_CONFIG))
        return found, *described(found)
    except FileNotFoundError:
        raise InputError(f"{directory} has no {CONFIG}; wanted a run directory") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} can't be used: {error}") from error


def check_files(directory: Path) -> None:
    """Raise InputError if a run directory holds a link or a pipe.

    Writing to a link would change a file elsewhere; opening a pipe would wait for its other end.
    """
    for path in (*directory.glob("*"), *(directory / SAMPLES).glob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputError(f"{path} is a link or a pipe; wanted only what train writes")


def check_text(directory: Path, config: Config) -> None:
    """Raise InputError if the text that a run was trained on is not where it was."""
    if missing := [path for path in config.paths if not Path(path).exists()]:
        raise InputError(
            f"{missing[0]}, the text of {directory}, is not there; if it has moved, --data says "
            "where it is"
        )


def lock(directory: Path) -> IO[bytes]:
    """Lock a run directory against other processes, until the returned file is closed.

    Raises InputError if another process holds the lock.
    """
    try:
        return locking.lock(directory / LOCK)
    except locking.HeldError as held:
        raise InputError(f"{directory} is in use by another process, {held}") from None
