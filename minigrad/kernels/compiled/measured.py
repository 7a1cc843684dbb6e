"""How fast BLAS is beside the compiled products: measured once per machine, and kept."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import binding

from minigrad import threads
from minigrad.kernels.compiled import matmul
from minigrad.kernels.compiled.jit import cache_directory
from minigrad.kernels.reference.array import Array

_SECONDS = 0.05  # of measuring each side; or two products of it, where they take longer


def blas_speed() -> float:
    """How many times as fast as a compiled product of large matrices one by BLAS is.

    It is kept beside the compiled kernels, for this processor, NumPy, BLAS and number of threads.
    Where it can't be kept, it is measured each time. 0 where kernels are not compiled.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return 0.0
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    machine = (
        f"{binding.get_host_cpu_name()}, {threads.get_num_threads()} threads, "
        f"NumPy {np.__version__} with {blas.get('name')} {blas.get('version')}"
    )
    path = Path(cache_directory(blas_speed) or os.devnull, "blas.json")
    known = _read(path)
    speed = known.get(machine)
    if not isinstance(speed, float):
        speed = known[machine] = _measured()
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
            temporary.replace(path)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return speed


def _read(path: Path) -> dict[str, Any]:
    """The speeds in the file; none where it is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        known = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def _measured() -> float:
    """By the fastest of some products of each side.

    Ours come first: the threads of a BLAS may go on looking for work after a product, for longer
    than the next one takes, and keep cores from our threads. Taken in turn with OpenBLAS, ours
    took twice their time on two cores.
    """
    a, b = np.ones((768, 384), np.float32), np.ones((384, 768), np.float32)
    return round(_fastest(matmul, a, b) / _fastest(np.matmul, a, b), 2)


def _fastest(product: Any, a: Array, b: Array) -> float:
    """Seconds of the fastest product, after one that compiles or starts threads."""
    product(a, b)
    end, best = time.perf_counter() + _SECONDS, math.inf
    while math.isinf(best) or time.perf_counter() < end:
        before = time.perf_counter()
        product(a, b)
        best = min(best, time.perf_counter() - before)
    return best
