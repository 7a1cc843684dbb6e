"""What the benchmarks share: each side in a process of its own, in turn; medians, tables, JSON.

In one process the threads of one BLAS would disturb the other side, and peak memory would be that
of both. In turn, because what else the machine does then slows all sides alike.

Nothing large is imported here: on Linux a process's peak memory begins with what its parent held.
Needs Linux or macOS, where a process's peak memory can be asked for.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

HAS_NUMBA, HAS_PYTORCH = (importlib.util.find_spec(name) is not None for name in ("numba", "torch"))
PEER = Path(__file__).parent.parent / "tests" / "golden"  # where the PyTorch model is

Task = tuple[Any, ...]  # a function and its arguments
Row = dict[str, Any]  # of a table: the headers and what stands under them


def arguments(
    doc: str | None, *, rounds: int = 5, only: bool = False, compile: bool = False
) -> argparse.Namespace:
    """The command line that all benchmarks have, and two flags that some have."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--rounds", type=int, default=rounds, help=f"(default: {rounds})")
    parser.add_argument("--threads", type=int, default=cores, help="(default: all cores)")
    parser.add_argument("--json", metavar="FILE", help="where to write the figures as well")
    parser.add_argument("--short", action="store_true", help="tiny sizes, once: does it work?")
    if only:
        parser.add_argument("--only", metavar="TEXT", default="", help="rows with this in the name")
    if compile:
        parser.add_argument("--compile", action="store_true", help="torch.compile as well as eager")
    args = parser.parse_args()
    for flag in ("rounds", "threads"):
        if getattr(args, flag) < 1:
            parser.error(f"--{flag} is {getattr(args, flag)}, wanted at least 1")
    if args.json and not Path(args.json).parent.is_dir():
        parser.error(f"--json is {args.json}, wanted a file in a directory that is there")
    args.rounds = 1 if args.short else args.rounds
    for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
        os.environ[f"{name}_NUM_THREADS"] = str(args.threads)  # read when NumPy is loaded
    return args


def use_threads() -> None:
    """Let the engine in this process use as many threads as BLAS does."""
    import minigrad as mg

    mg.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def alternate(
    label: str, tasks: dict[str, Task], rounds: int
) -> tuple[dict[str, list[Any]], dict[str, float]]:
    """Each task in a process of its own, in turn: its result in each round, its peak memory in MB.

    A task's function stands at the top of a module, where the new process finds it.
    """
    results: dict[str, list[Any]] = {name: [] for name in tasks}
    memory: dict[str, list[float]] = {name: [] for name in tasks}
    for i in range(rounds):
        for name, (function, *args) in tasks.items():
            print(f"{label}: round {i + 1} of {rounds}, {name}", file=sys.stderr, flush=True)
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                results[name].append(process.submit(function, *args).result())
                used = process.submit(resource.getrusage, resource.RUSAGE_SELF).result()
            memory[name].append(peak_memory(used))
    return results, {name: statistics.median(values) for name, values in memory.items()}


def peak_memory(used: resource.struct_rusage) -> float:
    """In MB; the system's number is in bytes on macOS, in KiB elsewhere."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def seconds(call: Callable[[], Any], budget: float) -> float:
    """The median time of a call, of as many as take `budget` seconds, but 3; the first is left out.

    The first compiles, or reads what was compiled from its cache, and touches memory first.
    """
    call()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < budget:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def limits(short: bool) -> tuple[float, float]:
    """What this machine can do: GFLOP/s of a large sgemm, GB/s of a large copy."""
    import numpy as np

    n = 256 if short else 2048
    a, b, c = np.ones((3, n, n), np.float32)
    large, copy = np.ones((2, 4 * n * n), np.float32)
    flops = 2e-9 * n**3 / seconds(lambda: np.matmul(a, b, out=c), 1.0 * (not short))
    return flops, 2e-9 * large.nbytes / seconds(lambda: np.copyto(copy, large), 0)


def median(rounds: list[float] | None) -> float | None:
    """The median; None for a side that is not there."""
    return statistics.median(rounds) if rounds else None


def median_ratio(ours: list[float], theirs: list[float] | None) -> float | None:
    """The median of the rounds' ratios; None for a side that is not there."""
    return median([a / b for a, b in zip(ours, theirs, strict=True)]) if theirs else None


def report(args: argparse.Namespace, *tables: list[Row]) -> None:
    """Print tables in Markdown under what they were made with; write the same as JSON, if asked."""
    made_with = {"threads": args.threads, "rounds": args.rounds, "machine": platform.machine()}
    made_with |= {"backend": os.environ.get("MINIGRAD_BACKEND") or ["numpy", "numba"][HAS_NUMBA]}
    made_with |= {"python": platform.python_version()}
    made_with |= {name: _version(name) for name in ("numpy", "numba", "torch")}
    print(", ".join(f"{name} {value}" for name, value in made_with.items()))
    if not HAS_PYTORCH:
        print("\nNo PyTorch here, so ours only; for both: pip install -e '.[bench]'")
    for rows in tables:
        print(f"\n{table(rows)}")
    if args.json:
        Path(args.json).write_text(
            json.dumps({"made_with": made_with, "tables": tables}, indent=1) + "\n",
            encoding="utf-8",
        )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def table(rows: list[Row]) -> str:
    """A table in Markdown, without the columns that would be empty."""
    if not rows:
        return "no such rows"
    headers = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    lines = [headers, ["---"] * len(headers)]
    lines += [[_cell(row[name]) for name in headers] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "-" if value is None else str(value)
