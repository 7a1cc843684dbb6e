"""Getting going: imports, from the command to the first training step, to the first headline.

    python benchmarks/startup.py [--compile]

The first step is that of `teenygpt_np.train`, which reads the corpus before, seen by the first line
with a loss; PyTorch's is of the same sizes, on random tokens. Cold is with no compiled code kept,
warm the same once more. Python's bytecode is kept in any case, as it is where pip installs. The
headlines come from random weights that never end one before the last token there is room for.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sides
from train_step import CONFIGURATIONS

ROOT = Path(__file__).parent.parent
SIZES = CONFIGURATIONS["narrow"]
FLAGS = ("batch-size", "num-tokens", "num-emb", "num-heads", "num-neurons", "num-blocks")
TRAIN = ["-m", "teenygpt_np.train"]
TRAIN += [f"--{flag}={size}" for flag, size in zip(FLAGS, SIZES, strict=True)]

IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
PYTORCH_STEP = """
import sys
sys.path.insert(0, "benchmarks")
from train_step import pytorch_step
pytorch_step({}, {})()
print("loss")
"""


def until(wanted: str, *command: str, **environment: str) -> tuple[str, float, float]:
    """Run Python until it prints what is wanted: the line, seconds, and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""} | environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout
    line = next((line for line in process.stdout if re.search(wanted, line)), None)
    taken = time.perf_counter() - start
    process.kill()
    _, process.returncode, used = os.wait4(process.pid, 0)
    process.stdout.close()
    if line is None:
        raise RuntimeError(f"{command} ended without printing {wanted!r}")
    return line, taken, sides.peak_memory(used)


def imports(rounds: int) -> list[sides.Row]:
    """Seconds that an import takes, in a Python that has just started."""
    modules = ["numpy", "minigrad", *["torch"] * sides.HAS_PYTORCH]
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    memory: dict[str, list[float]] = {module: [] for module in modules}
    for module in modules:
        until(r"\d", "-c", IMPORT.format(module))  # writes the bytecode
    for _ in range(rounds):
        for module in modules:
            line, _, peak = until(r"\d", "-c", IMPORT.format(module))
            seconds[module].append(float(line))
            memory[module].append(peak)
    return [
        {
            "import": module,
            "s": sides.median(seconds[module]),
            "of NumPy's": sides.median_ratio(seconds[module], seconds["numpy"]),
            "MB": sides.median(memory[module]),
        }
        for module in modules
    ]


def first_steps(rounds: int, threads: int, compiled: bool, short: bool) -> list[sides.Row]:
    """Seconds from the command to the end of the first training step. short: warm only."""
    commands = {"teenygpt_np.train": [*TRAIN, f"--threads={threads}"]}
    if sides.HAS_PYTORCH:
        commands["PyTorch"] = ["-c", PYTORCH_STEP.format(SIZES, False)]
    if sides.HAS_PYTORCH and compiled:
        commands["torch.compile"] = ["-c", PYTORCH_STEP.format(SIZES, True)]
    found: dict[str, list[Any]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            print(f"to the first step: {name}", file=sys.stderr, flush=True)
            found[name].append(_cold_and_warm(command, short))
    return [
        {
            "to the first step": name,
            "cold, s": None if short else sides.median([cold for (_, cold, _), _ in results]),
            "warm, s": sides.median([warm for _, (_, warm, _) in results]),
            "warm, MB": sides.median([memory for _, (_, _, memory) in results]),
        }
        for name, results in found.items()
    ]


def _cold_and_warm(command: list[str], short: bool) -> list[Any]:
    with tempfile.TemporaryDirectory() as new:
        caches = {} if short else {"NUMBA_CACHE_DIR": new, "TORCHINDUCTOR_CACHE_DIR": new}
        found: list[Any] = [(None, None, None)] * short
        while len(found) < 2:
            out = [f"--out={new}/{len(found)}"] if command[0] == "-m" else []
            found.append(until(r"\bloss\b", *command, *out, **caches))
        return found


def make_run(directory: str) -> None:
    """A run directory with a model of the default sizes that never ends a headline."""
    import numpy as np

    from teenygpt_np import checkpoint, run_directory
    from teenygpt_np.config import Config
    from teenygpt_np.model.building import build_model, with_positions
    from teenygpt_np.text.characters import CharacterTokenizer

    config, tokenizer = with_positions(Config()), CharacterTokenizer()
    model = build_model(config, tokenizer.num_token_vals, np.random.default_rng(0))
    arrays = {f"model/{name}": array for name, array in model.state_dict().items()}
    arrays["model/logits.0.bias"][tokenizer.pad] = -1e9
    meta = {"config": config.as_dict(), "characters": tokenizer.characters}
    checkpoint.save(Path(directory) / run_directory.BEST, arrays, meta)


def first_headlines(rounds: int, threads: int, short: bool) -> list[sides.Row]:
    """Seconds and memory from the command to the first headline printed."""
    backends = ["numpy", *["numba"] * sides.HAS_NUMBA]
    cases = [(backend, n) for backend in backends for n in ([1] if short else [1, 10])]
    found: dict[tuple[str, int], list[Any]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as run:
        sides.alternate("a model to sample from", {"made": (make_run, run)}, 1)
        for _ in range(rounds):
            for backend, n in cases:
                command = ["-m", "teenygpt_np.sample", run, f"-n={n}", f"--threads={threads}"]
                found[backend, n].append(until("[a-z]", *command, MINIGRAD_BACKEND=backend))
    return [
        {
            "to the first headline": f"MINIGRAD_BACKEND={backend} teenygpt_np.sample -n {n}",
            "s": sides.median([taken for _, taken, _ in results]),
            "MB": sides.median([memory for _, _, memory in results]),
        }
        for (backend, n), results in found.items()
    ]


def main() -> None:
    """Print three tables in Markdown."""
    args = sides.arguments(__doc__, compile=True)
    sides.report(
        args,
        imports=imports(args.rounds),
        first_step=first_steps(args.rounds, args.threads, args.compile, args.short),
        first_headline=first_headlines(args.rounds, args.threads, args.short),
    )


if __name__ == "__main__":
    main()
