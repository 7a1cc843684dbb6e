"""How many threads the compiled kernels use, and what each of them gets.

Work is cut into one block of rows per thread. The cuts depend on the number of rows and of threads
alone, so that the same thread count gives the same bits, in whatever order the threads finish.
"""

from __future__ import annotations

import itertools
import operator
import os
from collections.abc import Mapping

# Below this many entries waking a thread costs more than it saves.
_WORTHWHILE = 1 << 14


# As other libraries that use threads: 1 in either keeps all of them to one thread.
_LIMITS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def _available_cores(cgroup: str = "/sys/fs/cgroup") -> int:
    """The cores that this process may use: by its affinity, and by a container's CPU quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        cores = os.cpu_count() or 1
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # v2, v1
        try:
            words = []
            for name in names:
                with open(f"{cgroup}/{name}", encoding="ascii") as file:
                    words += file.read().split()
            quota, period = map(int, words)  # microseconds of all cores together in a period
        except (OSError, ValueError):  # no such file, or "max": no quota
            continue
        if quota > 0 and period > 0:
            cores = min(cores, max(1, round(quota / period)))
    return cores


def _first_count(cores: int, environment: Mapping[str, str]) -> int:
    """All cores, or fewer if the environment says so."""
    limits = (environment.get(name, "").partition(",")[0].strip() for name in _LIMITS)
    return min([cores, *(int(limit) for limit in limits if limit.isdecimal() and int(limit) > 0)])


_cores = _available_cores()
_count = _first_count(_cores, os.environ)


def get_num_cores() -> int:
    """How many cores this process may use, by its affinity and a container's CPU quota."""
    return _cores


def get_num_threads() -> int:
    """How many threads the compiled kernels use.

    At first as many as the process may use cores, by its affinity and a container's CPU quota; or
    fewer, if OMP_NUM_THREADS or NUMBA_NUM_THREADS says so.
    """
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
