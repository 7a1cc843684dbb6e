"""What the benchmarks share: each side in a process of its own, in turn; medians, a report.

In one process the threads of one BLAS would disturb the other side, and peak memory would be that
of both. In turn, because what else the machine does then slows all sides alike.

Nothing large is imported here: on Linux a process's peak memory begins with what its parent held.
Needs Linux or macOS, where a process's peak memory can be asked for.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import resource
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tables import RESULTS, Row, markdown, put

HAS_NUMBA, HAS_PYTORCH = (importlib.util.find_spec(name) is not None for name in ("numba", "torch"))
PEER = Path(__file__).parent.parent / "tests" / "golden"  # where the PyTorch model is
CPUINFO = Path("/proc/cpuinfo")  # of Linux
OWN = ""  # --json without FILE

Task = tuple[Any, ...]  # a function and its arguments

# What keeps each library to the vectors of a lesser processor than this one.
ISAS = {
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    }
}


def arguments(
    doc: str | None,
    *,
    rounds: int = 5,
    only: bool = False,
    compile: bool = False,
    others: str = "",
) -> argparse.Namespace:
    """The command line that all benchmarks have, two flags that some have, and other arguments."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--rounds", type=int, default=rounds, help=f"(default: {rounds})")
    parser.add_argument("--threads", type=int, default=cores, help="(default: all cores)")
    text = "keep all sides to these vectors, whatever the processor has"
    parser.add_argument("--isa", choices=ISAS, help=text)
    text = "put the tables into this result file as well; without FILE into this machine's"
    parser.add_argument("--json", metavar="FILE", nargs="?", const=OWN, help=text)
    parser.add_argument("--short", action="store_true", help="tiny sizes, once: does it work?")
    if only:
        parser.add_argument("--only", metavar="TEXT", default="", help="rows with this in the name")
    if compile:
        parser.add_argument("--compile", action="store_true", help="torch.compile as well as eager")
    if others:
        parser.add_argument("others", metavar="FLAG", nargs="*", help=others)
    args = parser.parse_args()
    for flag in ("rounds", "threads"):
        if getattr(args, flag) < 1:
            parser.error(f"--{flag} is {getattr(args, flag)}, wanted at least 1")
    if args.isa and args.isa not in _flags():
        parser.error(f"--isa is {args.isa}, which this processor does not have")
    if args.json == OWN and (args.short or getattr(args, "only", "")):
        parser.error("--json without FILE takes whole tables, so no --only and no --short")
    args.json = str(RESULTS / f"{args.isa or machine()}.json") if args.json == OWN else args.json
    if args.json and not Path(args.json).parent.is_dir():
        parser.error(f"--json is {args.json}, wanted a file in a directory that is there")
    os.environ.update(ISAS.get(args.isa, {}))  # the sides' processes inherit it
    # torch.compile would take what it kept for other vectors, which may end the process.
    kept = Path(tempfile.gettempdir()) / f"inductor-{args.isa or machine()}"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(kept)
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


def report(args: argparse.Namespace, **tables: list[Row]) -> None:
    """Print tables in Markdown under how they were made; put them into a result file, if asked."""
    made: Row = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "processor": processor()}
    made |= {"isa": args.isa or machine(), "threads": args.threads, "rounds": args.rounds}
    made |= {"backend": os.environ.get("MINIGRAD_BACKEND") or ["numpy", "numba"][HAS_NUMBA]}
    made |= {"python": platform.python_version()}
    made |= {name: _version(name) for name in ("numpy", "numba", "torch")}
    print(", ".join(f"{name} {value}" for name, value in made.items()))
    if not HAS_PYTORCH:
        print("\nNo PyTorch here, so ours only; for both: pip install -e '.[bench]'")
    for rows in tables.values():
        print(f"\n{markdown(rows)}")
    if args.json:
        words = map(_without_folder, sys.argv[1:])
        command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
        put(Path(args.json), {"command": command} | made, tables)


def _without_folder(word: str) -> str:
    """A word of a command, its file, after = or alone, by its name: folders are a machine's own."""
    flag, sign, value = word.rpartition("=")
    return flag + sign + (Path(value).name if Path(value).is_absolute() else value)


def machine() -> str:
    """The kind of machine this is, by which a result file is named: its vectors, on Linux."""
    kinds = {"avx512f": "avx512", "avx2": "avx2", "asimd": "neon"}
    return next((kinds[flag] for flag in kinds if flag in _flags()), platform.machine())


def _flags() -> set[str]:
    return set(CPUINFO.read_text(encoding="utf-8").split()) if CPUINFO.exists() else set()


def processor() -> str:
    """What the processor calls itself."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
