"""One headline after the other, in C and in Python: memory, tokens/s, and what int8 costs.

    python benchmarks/exported.py --threads 1 [RUN]

RUN is a run directory; without it weights are random, of the default sizes, and nothing is lost.
Every text is as long as the context. Python: `TeenyGPT.sample`, and the peak memory of its process.
C: what `teenygpt_np.export --to c` makes, compiled by its Makefile, with nothing but its struct and
its weights. Needs gcc and make.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sides

SIZES = {"num_emb": 16, "num_heads": 2, "num_neurons": 2, "num_blocks": 1, "num_tokens": 16}


def loaded(directory: str, short: bool) -> Any:
    """The run of a directory; for '' one with random weights."""
    import numpy as np

    from teenygpt_np.config import make_config
    from teenygpt_np.model.building import build_model
    from teenygpt_np.run_directory import TrainedRun, load_run
    from teenygpt_np.text.characters import CharacterTokenizer

    if directory:
        return load_run(Path(directory))
    config, tokenizer = make_config("small", **SIZES if short else {}), CharacterTokenizer()
    model = build_model(config, tokenizer.num_token_vals, np.random.default_rng(0))
    return TrainedRun(model.eval(), tokenizer, config, {})


def ours(directory: str, short: bool) -> float:
    """Tokens/s of `TeenyGPT.sample`, a headline at a time, each as long as the context."""
    import numpy as np

    sides.use_threads()
    run = loaded(directory, short)
    rng, prompt = np.random.default_rng(0), run.tokenizer.encode_prompt("").tolist()

    def draw() -> None:
        run.model.sample(1, prompt=prompt, rng=rng)  # without an end

    return (run.model.num_tokens - 1) / sides.seconds(draw, 0 if short else 2)


def in_c(program: str) -> float:
    """Tokens/s of the C program, of two seconds."""
    done = subprocess.run([program, "speed"], check=True, capture_output=True, encoding="ascii")
    return float(done.stdout.split()[0])


def made(run: Any, folder: Path, kept: str) -> str:
    """Export a run and compile it; the program."""
    from teenygpt_np.exporter import c

    for name, content in c.files(run, kept).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    subprocess.run(["make", "--silent", "teenygpt"], cwd=folder, check=True, stdout=sys.stderr)
    return str(folder / "teenygpt")


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=3, others="a run directory")
    from teenygpt_np.exporter import c, c_sources
    from teenygpt_np.exporter.twin.matrices import MATRICES

    directory = args.others[0] if args.others else ""
    run = loaded(directory, args.short)
    kinds = [kind for kind in MATRICES if kind != "ternary" or run.model.ternary]
    with tempfile.TemporaryDirectory() as folder:
        programs = {kept: made(run, Path(folder, kept), kept) for kept in kinds}
        tasks: dict[str, sides.Task] = {"Python": (ours, directory, args.short)}
        tasks |= {f"C, {kept}": (in_c, program) for kept, program in programs.items()}
        rates, memory = sides.alternate("one headline", tasks, args.rounds)
    size = run.model.num_parameters() * 4
    rows: list[dict[str, Any]] = [_row("Python", size, memory["Python"] * 1e6, rates)]
    for kept in kinds:
        twin = c.twin_of(run, kept)
        size = c_sources.weights(twin, [b""] * twin.vocab, {})[1]
        row = _row(f"C, {kept}", size, c_sources.ram_bytes(twin), rates)
        scores = c.scores(run, Path(directory).parent, kept) if directory else None
        rows.append(row | {"nats lost per text": scores and f"{scores.own - scores.before:.4f}"})
    rows[0]["nats lost per text"] = None
    sides.report(args, exported=rows)


def _row(name: str, weights: int, ram: float, rates: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "one headline": name,
        "weights, kB": weights / 1e3,
        "RAM, kB": ram / 1e3,
        "tokens/s": sides.median(rates[name]),
        "of Python's": sides.median_ratio(rates[name], rates["Python"]),
    }


if __name__ == "__main__":
    main()
