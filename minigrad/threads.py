"""A few threads for kernels that release the GIL.

Work is cut into one block of rows per thread, by the number of rows and threads alone, so that the
same thread count gives the same bits, whoever finishes first.
"""

from __future__ import annotations

import itertools
import operator
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

# Below this many entries waking a thread costs more than it saves.
_WORTHWHILE = 1 << 14

_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()  # so that no pool is shut down between being found and being given work


def _available_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        return os.cpu_count() or 1


_count = _available_cores()


def get_num_threads() -> int:
    """How many threads the compiled kernels use; at first, as many as this process has cores."""
    return _count


def set_num_threads(count: int) -> None:
    """Let the compiled kernels use this many threads. NumPy's BLAS has its own setting.

    Raises ValueError for a count below 1, TypeError for what is no whole number.
    """
    global _count, _pool
    count = operator.index(count)
    if count < 1:
        raise ValueError(f"number of threads is {count}, wanted at least 1")
    with _lock:
        if count != _count and _pool is not None:
            _pool.shutdown(wait=False)  # its threads finish what they were given
            _pool = None
        _count = count


def blocks(rows: int, entries: int) -> list[tuple[int, int]]:
    """Cut `rows` into (start, stop), one for each thread, or a single one for few entries."""
    if rows < 2 or entries < _WORTHWHILE:
        return [(0, rows)]
    parts = min(_count, rows)
    cuts = [rows * i // parts for i in range(parts + 1)]
    return list(itertools.pairwise(cuts))


def run(task: Callable[..., Any], spans: list[tuple[int, int]], *args: Any) -> None:
    """Call task(*args, part, start, stop) for every span, the first in this thread.

    A compiled loop should count from 0, over arrays cut to start:stop: counting from a `start` that
    might be negative, for all the compiler knows, can't be vectorized.
    """
    global _pool
    waiting = []
    if len(spans) > 1:
        with _lock:
            if _pool is None:
                from concurrent.futures import ThreadPoolExecutor  # takes a while to import

                _pool = ThreadPoolExecutor(_count, thread_name_prefix="minigrad")
            waiting = [_pool.submit(task, *args, i, *s) for i, s in enumerate(spans[1:], 1)]
    task(*args, 0, *spans[0])
    for future in waiting:
        future.result()


def _forget_pool() -> None:
    global _pool, _lock
    _pool = None  # a fork copies the pool but not its threads
    _lock = threading.Lock()  # one of which may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
