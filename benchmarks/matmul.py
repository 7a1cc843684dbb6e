"""The Numba matmul beside NumPy's BLAS, on the products that one training step is made of.

    python benchmarks/matmul.py [--threads N] [--rounds N]

The two are timed in processes of their own, in turn: a busy machine slows both alike, and BLAS's
threads, which go on spinning for a while when a product is done, slow nobody but BLAS. What is
printed is the median of the rounds. docs/matmul.md has a table made by this, and what follows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

# (M, K, N), how the operands lie: n as they are, t transposed, and where the product comes from.
SHAPES = [
    ((2016, 64, 64), "nt", "small: attention's projections, forward"),
    ((2016, 64, 64), "nn", "small: the same, dx"),
    ((64, 2016, 64), "tn", "small: the same, dweight"),
    ((2016, 64, 29), "nt", "small: logits"),
    ((29, 2016, 64), "tn", "small: logits, dweight"),
    ((4768, 128, 128), "nt", "wide: attention's projections, forward"),
    ((128, 4768, 128), "tn", "wide: the same, dweight"),
    ((4768, 128, 512), "nt", "wide: the MLP's first layer, forward"),
    ((4768, 512, 128), "nn", "wide: the same, dx"),
    ((512, 4768, 128), "tn", "wide: the same, dweight"),
    ((2040, 384, 384), "nt", "mid: attention's projections, forward"),
    ((2040, 384, 1536), "nt", "mid: the MLP's first layer, forward"),
    ((384, 2040, 1536), "tn", "mid: the MLP's last layer, dweight"),
    ((1, 128, 512), "nt", "sampling one headline"),
    ((1024, 1024, 1024), "nn", "large and square, BLAS's own ground"),
]


REPEAT = 31


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["numba", "blas"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if min(args.threads, args.rounds) < 1:
        parser.error("--threads and --rounds must be at least 1")
    if args.only:
        print(json.dumps(rates(args.only, args.threads)))
        return
    found: dict[str, list[list[float]]] = {"numba": [], "blas": []}
    for _ in range(args.rounds):
        for side, rounds in found.items():
            command = [sys.executable, __file__, "--only", side, "--threads", str(args.threads)]
            # BLAS reads its number of threads when NumPy is loaded.
            environment = os.environ | {
                f"{name}_NUM_THREADS": str(args.threads) for name in ("OPENBLAS", "OMP", "MKL")
            }
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            rounds.append(json.loads(done.stdout))
    ours, theirs = ([statistics.median(r) for r in zip(*found[s])] for s in found)  # noqa: B905
    print(f"{args.threads} threads, float32, GFLOP/s, median of {args.rounds} rounds\n")
    print("| M | K | N | operands | Numba | BLAS | ratio | where from |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (sizes, layout, origin), a, b in zip(SHAPES, ours, theirs, strict=True):
        row = [*sizes, layout, f"{a:.1f}", f"{b:.1f}", f"{a / b:.2f}", origin]
        print(f"| {' | '.join(map(str, row))} |")


def rates(side: str, threads: int) -> list[float]:
    """GFLOP/s of each product by the one or the other, from the median of REPEAT times."""
    import numpy as np

    import minigrad as mg

    if side == "numba":
        from minigrad.kernels.compiled.matmul import matmul

        mg.set_num_threads(threads)
    else:
        matmul = np.matmul
    rng = np.random.default_rng(0)
    found = []
    for (rows, inner, columns), layout, _ in SHAPES:
        a = rng.standard_normal((rows, inner) if layout[0] == "n" else (inner, rows))
        b = rng.standard_normal((inner, columns) if layout[1] == "n" else (columns, inner))
        a, b = a.astype(np.float32), b.astype(np.float32)
        a, b = a if layout[0] == "n" else a.T, b if layout[1] == "n" else b.T
        seconds = []
        for _ in range(REPEAT):
            start = time.perf_counter()
            matmul(a, b)
            seconds.append(time.perf_counter() - start)
        found.append(2e-9 * rows * inner * columns / statistics.median(seconds))
    return found


if __name__ == "__main__":
    main()
