"""A product of two matrices inside a kernel, tile by tile.

A block of b is copied into panels as wide as a tile, which are read from end to end: where b lies,
its rows may be so far apart that they fall into few sets of the caches, and each into a page of its
own. a is read where it lies, unless its columns are contiguous, as in x^T dy: then it is copied in
the same way. docs/matmul.md compares the result with a BLAS.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.linking import by_address
from minigrad.kernels.compiled.tile import (
    FEW_ROWS,
    TILE_ROWS,
    VECTOR_BYTES,
    copy_tile_rows,
    copy_vectors,
    set_few_rows,
    set_row,
    set_tiles,
)


def _second_level_cache(file: str = "/sys/devices/system/cpu/cpu0/cache/index2/size") -> int:
    """The bytes of a core's second-level cache; 512 KiB where the system does not tell."""
    try:
        return int(Path(file).read_text(encoding="ascii").strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 512 * 1024


# A panel of so many rows of b takes at most 32 KiB, as a first-level cache has; a block of so many
# columns three quarters of the second-level cache, in float32. The order of the sums depends on the
# rows in a block, but not on its columns.
_DEPTH = min(512, 32768 // (2 * VECTOR_BYTES))
_WIDTH = min(512, max(32, _second_level_cache() * 3 // 4 // (4 * _DEPTH) // 32 * 32))
_GROUP = 8  # tiles, the rows of which are copied at once
_SMALL = 8192  # up to so many entries, b is read where it lies, as for few rows
FEW = 16  # up to this many rows, as in sampling, NumPy and its BLAS take less time


@by_address
@jit
def set_product(c, start, a, b):
    """c = start + a @ b.    c: (M, N), start: (M, N) or (1, N), a: (M, K), b: (K, N)

    start may be c itself; a and b may not. The rows of start may be longer than c's. Rows of c and
    start are contiguous; a and b may have any strides.
    """
    (rows, inner), columns = a.shape, c.shape[1]
    vector = VECTOR_BYTES // c.itemsize
    if not inner or not columns:  # an empty sum, or nothing at all
        for i in range(rows):
            for j in range(columns):
                c[i, j] = start[i if len(start) > 1 else 0, j]
        return
    is_small = rows <= FEW or inner * columns <= _SMALL
    in_place = is_small and columns % vector == 0 and b.strides[1] == b.itemsize
    depth, width = (inner, columns) if in_place else (min(inner, _DEPTH), min(columns, _WIDTH))
    panel_rows = 0 if in_place else -(-width // (2 * vector)) * depth
    panels = np.empty((panel_rows, 2 * vector), c.dtype)[::1, ::1]
    is_down = a.strides[0] == c.itemsize and a.strides[1] != c.itemsize
    copied = rows - rows % TILE_ROWS if is_down and not in_place and columns > 4 * vector else 0
    group = np.empty((_GROUP * depth if copied else 0, TILE_ROWS), c.dtype)[::1, ::1]
    for left in range(0, columns, width):
        now = slice(left, min(columns, left + width))
        for k in range(0, inner, depth):
            count = min(depth, inner - k)
            s_now = (c if k else start)[:, now]
            b_now, b_step = b[k : k + count, now], (0, 2 * vector)
            if not in_place:
                _pack(b_now, panels)
                b_now, b_step = panels, (count, 0)
            end = 0
            while end < rows:
                first, end = end, min(copied, end + _GROUP * TILE_ROWS) if end < copied else rows
                a_now, a_step = a[first:end, k : k + count], (TILE_ROWS, 0)
                if end <= copied:
                    _pack_rows(a_now.T, group)
                    a_now, a_step = group.T, (0, count)
                s = s_now[first:end] if len(s_now) > 1 else s_now
                _set_block(c[first:end, now], s, a_now, a_step, b_now, b_step, count)


@jit
def _pack(b, panels):
    """panels[p K + k, lane] = b[k, p lanes + lane], and 0 beyond the last column.    b: (K, N)"""
    (rows, columns), lanes = b.shape, panels.shape[1]
    whole = columns // lanes
    for p in range(whole):
        panel, first = panels[p * rows : (p + 1) * rows], p * lanes
        if b.strides[1] == b.itemsize:
            for k in range(rows):
                copy_vectors(panel, k, b, first)
        else:
            for lane in range(lanes):
                for k in range(rows):
                    panel[k, lane] = b[k, first + lane]
    if whole * lanes < columns:
        for k in range(rows):
            for lane in range(lanes):
                j = whole * lanes + lane
                panels[whole * rows + k, lane] = b[k, j] if j < columns else 0


@jit
def _pack_rows(at, group):
    """group[p K + k, row] = at[k, p rows + row], `rows` being a tile's.    at: (K, M)"""
    rows = len(at)
    for p in range(at.shape[1] // TILE_ROWS):
        tile = group[p * rows : (p + 1) * rows]
        for k in range(rows):
            copy_tile_rows(tile, k, at, p * TILE_ROWS)


@jit(inline="always")
def _set_block(c, start, a, a_step, b, b_step, count):
    """c = start + a @ b for a block of c.

    From one tile to the next the place in a moves by a_step, that in b by b_step: (rows, columns).
    Rows that do not fill a tile are read from where they stand in a.
    """
    rows = len(c)
    whole = rows - rows % TILE_ROWS
    even = rows - (rows - whole) % FEW_ROWS
    ai = ak = 0
    for i in range(0, whole, TILE_ROWS):
        set_tiles(c, start, a, b, i, ai, ak, b_step, count)
        ai, ak = ai + a_step[0], ak + a_step[1]
    for i in range(whole, even, FEW_ROWS):
        set_few_rows(c, start, a, b, i, i, 0, b_step, count)
    for i in range(even, rows):
        set_row(c, start, a, b, i, i, 0, b_step, count)


@jit
def transpose(x, scale, xt):
    """xt = scale * x^T; columns of xt for which x has no row stay as they are."""
    for i in range(len(xt)):
        for j in range(len(x)):
            xt[i, j] = scale * x[j, i]
