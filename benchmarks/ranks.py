"""What several processes cost on one machine, and what they could gain on several.

    pip install -e ".[mpi]"
    python benchmarks/ranks.py --json

Measured, with one process and two threads beside two processes with one thread each: milliseconds
of a step, by whole trainings of a few dozen steps, in turn. Bytes are those that a rank sends in a
step, of N ranks with a shard each: its gradients to their owners, its part of the weights to all.

Computed from the time of one thread's step, T, with one shard a rank: a step of N ranks takes
T_N = T / N + (N - 1) (2 latency) + bytes / bandwidth if they share a batch (strong), and
T + the same if each has a batch of its own (weak). The efficiency is T / (N T_N), or T / T_N.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sides

PRESETS = ("tiny", "small", "article")
NETWORKS = {
    "1 Gbit/s": (1e9 / 8, 50e-6),
    "10 Gbit/s": (1e10 / 8, 20e-6),
    "100 Gbit/s": (1e11 / 8, 2e-6),
}
RANKS = (2, 4, 16, 64, 256)
STEPS = {"tiny": 120, "small": 60, "article": 6}
MPIEXEC = str(Path(sys.executable).parent / "mpiexec")
SHORT = {"num_emb": 16, "num_heads": 2, "num_neurons": 2}


def settings(preset: str, *, short: bool) -> tuple[list[str], int]:
    """Flags of a training of a few dozen steps, and how many parameters its model has."""
    from teenygpt_np.config import make_config
    from teenygpt_np.model.building import outline

    sizes = SHORT if short else {}
    flags = [f"--{name.replace('_', '-')}={size}" for name, size in sizes.items()]
    flags.append(f"--max-steps={3 if short else STEPS[preset]}")
    return flags, outline(make_config(preset, **sizes), 29).num_parameters()


def step_ms(preset: str, launch: list[str], threads: int, flags: list[str]) -> float:
    """Milliseconds of a step, from a training's own account of them.

    launch: Python, or what starts several of them
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [*launch, "-m", "teenygpt_np.train", "--preset", preset, "--quiet", *flags]
        command += [f"--threads={threads}", f"--out={out}", "--eval-tokens=1000", "--epoch-steps=0"]
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
        [epoch] = (json.loads(line) for line in (out / "metrics.jsonl").open(encoding="utf-8"))
    return 1000 * float(epoch["seconds"]) / float(epoch["step"])


def sent(parameters: int, ranks: int) -> float:
    """Bytes that a rank sends in a step: to every other its share of the gradients, and weights."""
    return 4 * parameters * 2 * (ranks - 1) / ranks


def efficiencies(ms: float, parameters: int, network: str, *, strong: bool) -> dict[str, str]:
    """The share of the ideal speed-up, by the number of ranks.    ms: of a step of one thread"""
    (bandwidth, latency), found = NETWORKS[network], {}
    for n in RANKS:
        talk = 2 * (n - 1) * latency + sent(parameters, n) / bandwidth
        compute = ms / 1000 / (n if strong else 1)
        found[f"{n} ranks"] = f"{compute / (compute + talk):.0%}"
    return found


def main() -> None:
    """Print two tables in Markdown."""
    args = sides.arguments(__doc__, rounds=3)
    if not Path(MPIEXEC).exists():
        raise SystemExit("mpiexec is not installed: pip install -e '.[mpi]'")
    measured: list[dict[str, Any]] = []
    computed: list[dict[str, Any]] = []
    for preset in PRESETS[:1] if args.short else PRESETS:
        flags, count = settings(preset, short=args.short)
        one, two = [sys.executable], [MPIEXEC, "-n", "2", sys.executable, "-m", "mpi4py"]
        tasks: dict[str, sides.Task] = {
            "one, two threads": (step_ms, preset, one, 2, [*flags, "--shards=1"]),
            "two": (step_ms, preset, two, 1, [*flags, "--shards=2"]),
            "one, one thread": (step_ms, preset, one, 1, [*flags, "--shards=1"]),
        }
        found, _ = sides.alternate(preset, tasks, args.rounds)
        ms = {name: sides.median(values) for name, values in found.items()}
        measured.append(
            {"preset": preset, "parameters": count}
            | {f"{name}, ms": value for name, value in ms.items()}
            | {
                "two, of one's time": sides.median_ratio(found["two"], found["one, two threads"]),
                "kB sent by one of two": sent(count, 2) / 1e3,
            }
        )
        computed += [
            {"preset": preset, "network": network, "scaling": "strong" if strong else "weak"}
            | efficiencies(ms["one, one thread"], count, network, strong=strong)
            for network in NETWORKS
            for strong in (True, False)
        ]
    sides.report(args, ranks=measured, ranks_to_expect=computed)


if __name__ == "__main__":
    main()
