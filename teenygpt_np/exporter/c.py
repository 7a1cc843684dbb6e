"""C99: a model for a microcontroller, its weights as constants; equal to its twin in every bit.

What a number becomes in int8 is one question, and whether the C computes that rightly another:
golden.txt is of the twin, the same arithmetic in Python, so the C must give the same bits; `scores`
says what the arithmetic costs in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigrad import Array
from teenygpt_np.errors import InputError
from teenygpt_np.exporter import c_sources
from teenygpt_np.exporter.decoders import decoder
from teenygpt_np.exporter.twin import MIXER_TWINS
from teenygpt_np.exporter.twin.counting import float_operations
from teenygpt_np.exporter.twin.matrices import MATRICES
from teenygpt_np.exporter.twin.model import Twin, nats, write
from teenygpt_np.run_directory import TrainedRun, load_own_corpus
from teenygpt_np.text.bytes import ByteTokenizer
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.corpus import is_hash_of
from teenygpt_np.text.tokenizer import Tokenizer

SEED, TEMPERATURE = 1, 0.8  # of the texts in golden.txt, and of the programs' defaults
_TEXTS = 10
_MOST_LOGITS = 100_000  # in golden.txt
_SCORED = 100  # texts
_CACHES = {"ternary": "float32"}  # how keys and values are kept where it is not as the weights
_STATIC = (
    "main.c",
    "Makefile",
    "board/main.c",
    "board/mps2-an385.ld",
    "board/rp2040.ld",
    "board/stm32f405.ld",
)


def files(run: TrainedRun, weights: str, cache: str | None = None) -> dict[str, bytes]:
    """The directory for a C compiler.

    weights: a name in `MATRICES`.    cache: how keys and values are kept; None: as the weights

    Raises InputError for a model that has no twin in C.
    """
    twin, tokenizer = twin_of(run, weights, cache), run.tokenizer
    begin, end = int(tokenizer.encode_prompt("")[0]), tokenizer.end
    seeds = range(SEED, SEED + _TEXTS)
    with np.errstate(over="ignore", invalid="ignore"):
        texts = write(twin, seeds, begin=begin, end=end, temperature=TEMPERATURE)
        read = [begin, *max(texts, key=len)][: max(1, _MOST_LOGITS // twin.vocab)]
        logits = _logits(twin, read)
    if not np.isfinite(logits).all():
        raise InputError("the model's logits are NaN or infinite: its weights are too large")
    constants = {
        "BEGIN": str(begin),
        "END": str(end),
        "SEED": str(SEED),
        "TEMPERATURE": f"{TEMPERATURE}f",
    }
    header, size = c_sources.weights(twin, _pieces(tokenizer), constants)
    made = c_sources.core(twin) | {
        "weights.h": header,
        "golden.txt": _golden(tokenizer, read, logits, texts),
        "README.md": c_sources.source("README.md").format(
            what=_described(run, twin, weights),
            ram=c_sources.ram_bytes(twin),
            flash=size,
            operations=float_operations(twin, twin.sizes.tokens - 1),
            tokens=twin.sizes.tokens - 1,
            others=f"; and {_whole(twin):,} products of whole numbers with weights"
            * twin.kind.quantizes,
        ),
    }
    made |= {name: c_sources.source(name) for name in _STATIC}
    return {name: text.encode("utf-8") for name, text in made.items()}


class Scores(NamedTuple):
    """Nats per text of `number` texts that validate: by the C's arithmetic, and by the model.

    unit: the word for a text
    """

    number: int
    unit: str
    own: float
    before: float


def told(run: TrainedRun, folder: Path, weights: str, cache: str | None = None) -> str:
    """What the arithmetic costs, in one line.    folder: where run directories are"""
    try:
        found = scores(run, folder, weights, cache)
    except InputError as error:
        return f"not scored: {error}"
    return (
        f"nats per {found.unit}, {found.number} of the validation split: {found.own:.3f}; "
        f"the model as it was trained: {found.before:.3f}"
    )


def scores(run: TrainedRun, folder: Path, weights: str, cache: str | None = None) -> Scores:
    """What the arithmetic costs.    folder: where run directories are

    Raises InputError if the text of the run is not there, or has changed.
    """
    if missing := [path for path in run.config.paths if not Path(path).exists()]:
        raise InputError(f"{missing[0]}, the text of the run, is not there")
    corpus = load_own_corpus(run.config, folder, run.tokenizer)
    if not is_hash_of(run.meta.get("corpus"), corpus):
        raise InputError(f"{corpus.name} has changed since the run was trained on it")
    rows = corpus.rows("val", run.config.num_tokens)
    which = rows.in_order[:: max(1, len(rows) // _SCORED)][:_SCORED]
    batch = rows.batch(which)
    own = nats(twin_of(run, weights, cache), batch.ids, batch.counted)
    losses = run.model.loss(batch.ids, batch.counted, reduction="none").data
    before = losses.sum(axis=1, dtype=np.float64)
    return Scores(len(which), rows.unit, float(own.mean()), float(before.mean()))


def twin_of(run: TrainedRun, weights: str, cache: str | None = None) -> Twin:
    """The model as the C computes it. Raises InputError for one that has no twin in C."""
    model, config = decoder(run, "c", mixers=MIXER_TWINS, tokenizers=_PIECES), run.config
    names = [config.mixers[i % len(config.mixers)] for i in range(config.num_blocks)]
    if weights == "ternary" and not model.ternary:
        raise InputError(
            "--weights is ternary, wanted float32 or int8: the run has no such weights"
        )
    if cache and not any(MIXER_TWINS[name].has_cache for name in names):
        raise InputError(f"--cache is for attention, and mixer is {config.mixer}")
    twin = Twin(model, names, weights, cache or _CACHES.get(weights, weights))
    most = MATRICES[weights].most_inputs
    if wide := [m.inputs for m in c_sources.matrices(twin) if m.inputs > most]:
        raise InputError(
            f"a matrix has {wide[0]:,} inputs, wanted at most {most:,} with --weights {weights}"
        )
    return twin


def _logits(twin: Twin, ids: Sequence[int]) -> Array:
    """The logits after each of these ids.    -> (n, V)"""
    state = twin.start(1)
    return np.concatenate([twin.step(np.array([token]), state) for token in ids])


def _golden(
    tokenizer: Tokenizer, read: Sequence[int], logits: Array, texts: Sequence[Sequence[int]]
) -> str:
    lines = ["# read TOKEN, and the logits after it as the bits of floats"]
    for token, row in zip(read, logits, strict=True):
        lines.append(" ".join(["read", str(token), *_bits(row)]))
    lines.append("# write SEED TEMPERATURE TOP_K COUNT IDS, the temperature in bits, too")
    [temperature] = _bits(np.array([TEMPERATURE], np.float32))
    for i, ids in enumerate(texts):
        shown = "".join(tokenizer.signs(ids))
        words = [SEED + i, temperature, 0, len(ids), *ids]
        lines += [f"# {shown}", " ".join(map(str, ["write", *words]))]
    return "".join(f"{line}\n" for line in lines)


def _bits(row: Array) -> list[str]:
    return [f"{bits:08x}" for bits in row.view(np.uint32).tolist()]


def _whole(twin: Twin) -> int:
    return sum(matrix.outputs * matrix.inputs for matrix in c_sources.matrices(twin))


def _described(run: TrainedRun, twin: Twin, weights: str) -> str:
    caches = any(MIXER_TWINS[name].has_cache for name in twin.mixers)
    kept = f", keys and values in {twin.sizes.cache}" if caches else ""
    return (
        f"{run.model.num_parameters():,} parameters: {len(twin.blocks)} blocks of "
        f"{run.config.mixer}, {twin.sizes.width} wide, positions {run.model.positions}. Weights in "
        f"{weights}{kept}. Texts of at most {twin.sizes.tokens - 1} tokens, of {twin.vocab} kinds."
    )


def _of_characters(tokenizer: Tokenizer) -> list[bytes]:
    assert isinstance(tokenizer, CharacterTokenizer)
    return [b"", *(c.encode("utf-8", "surrogatepass") for c in tokenizer.characters), b""]


def _of_bytes(tokenizer: Tokenizer) -> list[bytes]:
    assert isinstance(tokenizer, ByteTokenizer)
    return [*tokenizer.pieces, b"", b""]


# The bytes that each id stands for, by the kind of tokenizer.
_PIECES: dict[str, Callable[[Tokenizer], list[bytes]]] = {
    "characters": _of_characters,
    "bytes": _of_bytes,
    "bpe": _of_bytes,
}


def _pieces(tokenizer: Tokenizer) -> list[bytes]:
    return _PIECES[tokenizer.kind](tokenizer)
