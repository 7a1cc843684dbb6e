"""The Numba matmul beside NumPy's BLAS, on the products that one training step is made of.

    python benchmarks/matmul.py

The two are timed in processes of their own, in turn: a busy machine slows both alike, and BLAS's
threads, which go on spinning for a while when a product is done, slow nobody but BLAS. Rates are in
GFLOP/s, the medians of the rounds. docs/matmul.md has a table made by this, and what follows.
"""

from __future__ import annotations

import statistics
import time

import sides

# (M, K, N), how the operands lie: n as they are, t transposed, and where the product comes from.
SHAPES = [
    ((2016, 64, 64), "nt", "narrow: attention's projections, forward"),
    ((2016, 64, 64), "nn", "narrow: the same, dx"),
    ((64, 2016, 64), "tn", "narrow: the same, dweight"),
    ((2016, 64, 29), "nt", "narrow: logits"),
    ((29, 2016, 64), "tn", "narrow: logits, dweight"),
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
SHORT = [((32, 8, 40), "nt", "small enough to see that all works")]
REPEAT = 31


def rates(side: str, short: bool) -> list[float]:
    """GFLOP/s of each product by the one or the other, from the median of REPEAT times."""
    import numpy as np

    if side == "Numba":
        from minigrad.kernels.compiled.matmul import matmul

        sides.use_threads()
    else:
        matmul = np.matmul
    rng = np.random.default_rng(0)
    found = []
    for (rows, inner, columns), layout, _ in SHORT if short else SHAPES:
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


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__)
    tasks: dict[str, sides.Task]
    tasks = {side: (rates, side, args.short) for side in ["Numba"] * sides.HAS_NUMBA + ["BLAS"]}
    found, _ = sides.alternate("matmul", tasks, args.rounds)
    table = []
    for i, ((rows, inner, columns), layout, origin) in enumerate(SHORT if args.short else SHAPES):
        rate = {name: [r[i] for r in rounds] for name, rounds in found.items()}
        row: sides.Row = {"M": rows, "K": inner, "N": columns, "operands": layout}
        row |= {name: sides.median(rate.get(name)) for name in ("Numba", "BLAS")}
        row["ratio"] = sides.median_ratio(rate["Numba"], rate["BLAS"]) if sides.HAS_NUMBA else None
        table.append(row | {"where from": origin})
    sides.report(args, matmul=table)


if __name__ == "__main__":
    main()
