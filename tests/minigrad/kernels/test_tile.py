"""Products of parts of larger arrays, whose tiles end somewhere in a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.matmul import set_product
from minigrad.kernels.compiled.tile import FEW_ROWS, TILE_ROWS, VECTOR_BYTES

INNER = 5


@jit
def product(c: Any, start: Any, a: Any, b: Any) -> None:
    set_product(c, start, a, b)


def inside(shape: tuple[int, int], dtype: Any, rng: np.random.Generator) -> Any:
    """A random array, and the larger one that it is a part of, elsewhere NaN."""
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
