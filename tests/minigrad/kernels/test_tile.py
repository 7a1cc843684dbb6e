"""Products of parts of larger arrays, whose tiles end somewhere in a vector."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.product import (
    _DEPTH,
    _GROUP,
    _SMALL,
    _WIDTH,
    _second_level_cache,
    set_product,
)
from minigrad.kernels.compiled.tile import FEW_ROWS, TILE_ROWS, VECTOR_BYTES

INNER = 5


@jit
def product(c: Any, start: Any, a: Any, b: Any) -> None:
    set_product(c, start, a, b)


def inside(shape: tuple[int, int], dtype: Any, rng: np.random.Generator) -> Any:
    """A random array, and the larger array that it is a part of, which is NaN elsewhere."""
    rows, columns = shape
    around = np.full((rows + 2, columns + 40), np.nan, dtype)
    part = around[1:-1, 20:-20]
    part[...] = rng.standard_normal(shape)
    return part, around


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 2, FEW_ROWS, TILE_ROWS, TILE_ROWS + FEW_ROWS + 1])
@pytest.mark.parametrize("start_rows", [1, "rows", "c"])
def test_nothing_beyond_is_read_or_written(dtype: Any, rows: int, start_rows: Any) -> None:
    rng, vector = np.random.default_rng(rows), VECTOR_BYTES // np.dtype(dtype).itemsize
    for columns in range(1, 3 * vector + 2):
        (a, _), (b, _) = (inside(shape, dtype, rng) for shape in ((rows, INNER), (INNER, columns)))
        c, around = inside((rows, columns), dtype, rng)
        start, _ = inside((1 if start_rows == 1 else rows, columns + vector), dtype, rng)
        start = c if start_rows == "c" else start
        want = start[:, :columns] + a @ b
        product(c, start, a, b)
        np.testing.assert_allclose(c, want, rtol=0, atol=40 * np.finfo(dtype).eps)
        c[...] = np.nan
        assert np.isnan(around).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("start_rows", [1, "rows"])
def test_blocks_and_copies(dtype: Any, layout: str, start_rows: Any) -> None:
    """More than one block along every axis, and the last one is not full."""
    rows, inner, columns = (_GROUP + 1) * TILE_ROWS + FEW_ROWS + 1, _DEPTH + 3, _WIDTH + 37
    assert inner * columns > _SMALL
    rng = np.random.default_rng(0)
    a, _ = inside((rows, inner) if layout[0] == "n" else (inner, rows), dtype, rng)
    b, _ = inside((inner, columns) if layout[1] == "n" else (columns, inner), dtype, rng)
    a, b = a if layout[0] == "n" else a.T, b if layout[1] == "n" else b.T
    start, _ = inside((1 if start_rows == 1 else rows, columns), dtype, rng)
    c, around = inside((rows, columns), dtype, rng)
    product(c, start, a, b)
    size = np.abs(a) @ np.abs(b)  # what roundings are relative to
    np.testing.assert_array_less(np.abs(c - (start + a @ b)), 20 * np.finfo(dtype).eps * size)
    c[...] = np.nan
    assert np.isnan(around).all()


@pytest.mark.parametrize(("text", "wanted"), [("1024K\n", 2**20), ("1 MB", 2**19), (None, 2**19)])
def test_second_level_cache(tmp_path: Path, text: str | None, wanted: int) -> None:
    if text is not None:
        (tmp_path / "size").write_text(text, "utf-8")
    assert _second_level_cache(str(tmp_path / "size")) == wanted


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="features of x86-64")
@pytest.mark.parametrize(
    ("features", "wanted"), [("+sse2", "16 6"), ("+avx2", "32 6"), ("+avx2,+avx512f", "64 12")]
)
def test_tile_is_for_what_numba_compiles_for(features: str, wanted: str) -> None:
    code = "from minigrad.kernels.compiled.tile import *; print(VECTOR_BYTES, TILE_ROWS)"
    environment = os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.stdout.decode().strip() == wanted, run.stderr.decode()
