"""Runs with random weights, and their C sources compiled and run."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teenygpt_np.config import make_config
from teenygpt_np.exporter import c
from teenygpt_np.model.building import build_model
from teenygpt_np.run_directory import TrainedRun
from teenygpt_np.text.characters import CharacterTokenizer
from teenygpt_np.text.tokenizer import Tokenizer

STRICT = "-std=c99 -Wall -Wextra -Wpedantic -Wdouble-promotion -Wconversion -Wshadow -Werror"
SANE = "-fsanitize=address,undefined -fno-sanitize-recover=all"
EXACT = """
#include "teenygpt.h"
extern char ram_is_exact[sizeof(struct teenygpt) == TEENYGPT_RAM_BYTES ? 1 : -1];
"""
SIZES: dict[str, Any] = {
    "num_emb": 16,
    "num_heads": 4,
    "num_neurons": 3,
    "num_blocks": 2,
    "num_tokens": 20,
}
needs_gcc = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("gcc"), reason="gcc is not installed"
)


def random_run(tokenizer: Tokenizer | None = None, **settings: Any) -> TrainedRun:
    """A run of small sizes, whose weights all differ from where they start.

    Some weights start at 0 or 1, where a fault would not show.
    """
    tokenizer = tokenizer or CharacterTokenizer()
    config = make_config("tiny", **SIZES | settings)
    rng = np.random.default_rng(0)
    model = build_model(config, tokenizer.num_token_vals, rng)
    for parameter in model.parameters():
        noise = 0.2 * rng.standard_normal(parameter.shape)
        parameter.data = (parameter.data + noise).astype(np.float32)
    return TrainedRun(model.eval(), tokenizer, config, {})


def with_short_texts(run: TrainedRun) -> TrainedRun:
    """The same, but nearly every text is empty, so that it is exported sooner."""
    run.model.logits.layers[0].bias.data = np.eye(1, run.model.num_token_vals)[0] * 30
    return run


def written(folder: Path, run: TrainedRun, weights: str, cache: str | None = None) -> Path:
    """The exported directory."""
    for name, content in c.files(run, weights, cache).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def compiled(folder: Path, *sources: str, flags: str = SANE) -> Path:
    """A program, without a warning.    sources: without them main.c and teenygpt.c"""
    command = f"gcc {STRICT} -O1 -ffp-contract=off {flags} -o program".split()
    command += [*(sources or ("main.c", "teenygpt.c")), "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "program"


def run_program(program: Path, *arguments: str, text: str = "") -> tuple[int, str, str]:
    """Its status, and what it printed on stdout and stderr."""
    done = subprocess.run(
        [program, *arguments], cwd=program.parent, input=text.encode("utf-8"), capture_output=True
    )
    # Not by subprocess, for which a carriage return is a new line.
    out, err = (part.decode("utf-8", "surrogateescape") for part in (done.stdout, done.stderr))
    return done.returncode, out, err


def checked(folder: Path, run: TrainedRun, *kept: str) -> str:
    """Export, compile without a warning and with sanitizers, compare; what it writes."""
    written(folder, run, *kept)
    (folder / "exact.c").write_text(EXACT, encoding="utf-8")
    flags = SANE if has_sanitizers() else ""
    program = compiled(folder, "main.c", "teenygpt.c", "exact.c", flags=flags)
    told = "every logit has the bits that it has in golden.txt, and 10 texts are the same\n"
    assert run_program(program, "check") == (0, told, "")
    status, out, err = run_program(program)
    assert (status, err) == (0, "")
    return out


@functools.cache
def has_sanitizers() -> bool:
    """Whether gcc has them: on some systems they are packages of their own."""
    command = ["gcc", "-fsanitize=address,undefined", "-x", "c", "-", "-o", os.devnull]
    source = b"int main(void) { return 0; }"
    return subprocess.run(command, input=source, capture_output=True).returncode == 0
