"""How many threads the compiled kernels use, and what each of them gets.

Work is cut into one block of rows per thread. The cuts depend on the number of rows and of threads
alone, so that the same thread count gives the same bits, in whatever order the threads finish.
"""

from __future__ import annotations

import itertools
import operator
import os

# Below this many entries waking a thread costs more than it saves.
_WORTHWHILE = 1 << 14


def _available_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        return os.cpu_count() or 1


CORES = _available_cores()
_count = CORES


def get_num_threads() -> int:
    """How many threads the compiled kernels use; at first, as many as this process has cores."""
    return _count


def set_num_threads(count: int) -> None:
    """Let the compiled kernels use this many threads. NumPy's BLAS has its own setting.

    Raises ValueError for a count below 1, TypeError for a count that is no integer.
    """
    global _count
    count = operator.index(count)
    if count < 1:
        raise ValueError(f"number of threads is {count}, wanted at least 1")
    _count = count


def blocks(rows: int, entries: int) -> list[tuple[int, int]]:
    """`rows` cut into (start, stop), one for each thread; a single one where entries are few."""
    if rows < 2 or entries < _WORTHWHILE:
        return [(0, rows)]
    parts = min(_count, rows)
    cuts = [rows * i // parts for i in range(parts + 1)]
    return list(itertools.pairwise(cuts))
