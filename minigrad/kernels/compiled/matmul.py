"""Products of matrices, tile by tile.

A block of b is copied into panels as wide as a tile, which are read from end to end: where b lies,
its rows may be so far apart that they fall into few sets of the caches, and each into a page of its
own. a is read where it lies, unless its columns are contiguous, as in x^T dy: then it is copied in
the same way. docs/matmul.md compares the result with a BLAS.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from minigrad import threads
from minigrad.kernels.compiled import team
from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.tile import (
    FEW_ROWS,
    TILE_ROWS,
    VECTOR_BYTES,
    copy_tile_rows,
    copy_vectors,
    set_few_narrow_rows,
    set_few_rows,
    set_narrow_row,
    set_narrow_tile,
    set_row,
    set_tile,
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


def matmul(a, b):
    """See the reference."""
    if math.prod(a.shape[:-1]) <= FEW:
        return np.matmul(a, b)
    if b.ndim == 2:  # one product, however many batches a has
        rows = a.reshape(1, math.prod(a.shape[:-1]), a.shape[-1])
        return _matmul(rows, b[np.newaxis]).reshape(*a.shape[:-1], b.shape[-1])
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, batch + a.shape[-2:]).reshape(math.prod(batch), *a.shape[-2:])
    b = np.broadcast_to(b, batch + b.shape[-2:]).reshape(math.prod(batch), *b.shape[-2:])
    return _matmul(a, b).reshape(*batch, a.shape[-2], b.shape[-1])


def _matmul(a, b):
    """a: (N, M, K), b: (N, K, L) -> (N, M, L); the threads sharing N or, where that is 1, M."""
    c = np.empty((len(a), a.shape[1], b.shape[2]), a.dtype)
    work = c.size * a.shape[2]
    a, b = (np.require(x, None, ["A", "W"]) for x in (a, b))
    zeros = np.zeros((1, b.shape[2]), b.dtype)
    if len(a) == 1:
        team.run(_rows, threads.blocks(a.shape[1], work), c[0], a[0], b[0], zeros)
    else:
        team.run(_batch, threads.blocks(len(a), work), c, a, b, zeros)
    return c


@jit
def _rows(c, a, b, zeros, part, start, stop):
    set_product(c[start:stop], zeros, a[start:stop], b)


@jit
def _batch(c, a, b, zeros, part, start, stop):
    for n in range(start, stop):
        set_product(c[n], zeros, a[n], b[n])


@jit(inline="always")
def set_product(c, start, a, b):
    """c = start + a @ b.    c: (M, N), start: (M, N) or (1, N), a: (M, K), b: (K, N)

    start may be c itself; a and b may not. The rows of start may be longer than c's. Rows of c and
    start are contiguous; a and b may have any strides.
    """
    # A slice with a step has the type of an array of any layout: one compilation for all callers.
    _set_product(c[::1, ::1], start[::1, ::1], a[::1, ::1], b[::1, ::1])


@jit
def _set_product(c, start, a, b):
    (rows, inner), columns = a.shape, c.shape[1]
    vector = VECTOR_BYTES // c.itemsize
    if not inner:  # an empty sum
        for i in range(rows):
            for j in range(columns):
                c[i, j] = start[i if len(start) > 1 else 0, j]
    elif (
        (rows <= FEW or inner * columns <= _SMALL)
        and columns % vector == 0
        and b.strides[1] == b.itemsize
    ):
        _set_block(c, start, a, (TILE_ROWS, 0), b, (0, 2 * vector), inner)
    else:
        _set_blocks(c, start, a, b)


@jit
def _set_blocks(c, start, a, b):
    """The same, by copies of b's blocks and, where its columns are contiguous, of a's rows."""
    (rows, inner), columns = a.shape, c.shape[1]
    strip = 2 * VECTOR_BYTES // c.itemsize
    depth = min(inner, _DEPTH)
    panels = np.empty((-(-min(columns, _WIDTH) // strip) * depth, strip), c.dtype)[::1, ::1]
    is_down = a.strides[0] == c.itemsize and a.strides[1] != c.itemsize and columns > 2 * strip
    group = np.empty(((_GROUP if is_down else 0) * depth, TILE_ROWS), c.dtype)[::1, ::1]
    copied = rows - rows % TILE_ROWS if is_down else 0
    for left in range(0, columns, _WIDTH):
        now = slice(left, min(columns, left + _WIDTH))
        for k in range(0, inner, _DEPTH):
            count = min(_DEPTH, inner - k)
            c_now, a_now, b_now = c[:, now], a[:, k : k + count], b[k : k + count, now]
            s_now = (c if k else start)[:, now]
            _pack(b_now, panels)
            for i in range(0, copied, _GROUP * TILE_ROWS):
                end = min(copied, i + _GROUP * TILE_ROWS)
                _pack_rows(a_now[i:end].T, group)
                s = s_now[i:end] if len(s_now) > 1 else s_now
                _set_block(c_now[i:end], s, group.T, (0, count), panels, (count, 0), count)
            s = s_now[copied:] if len(s_now) > 1 else s_now
            left_over = a_now[copied:]
            _set_block(c_now[copied:], s, left_over, (TILE_ROWS, 0), panels, (count, 0), count)


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


@jit
def _set_block(c, start, a, a_step, b, b_step, count):
    """c = start + a @ b for a block of c.

    From one tile to the next the place in a moves by a_step, that in b by b_step: (rows, columns).
    Rows that do not fill a tile are read from where they stand in a.
    """
    rows, columns = c.shape
    vector = VECTOR_BYTES // c.itemsize
    whole = rows - rows % TILE_ROWS
    even = rows - (rows - whole) % FEW_ROWS
    ai = ak = 0
    for i in range(0, whole, TILE_ROWS):
        bk = bj = 0
        for j in range(0, columns, 2 * vector):
            if columns - j > vector:
                set_tile(c, start, a, b, i, j, ai, ak, bk, bj, count)
            else:
                set_narrow_tile(c, start, a, b, i, j, ai, ak, bk, bj, count)
            bk, bj = bk + b_step[0], bj + b_step[1]
        ai, ak = ai + a_step[0], ak + a_step[1]
    for i in range(whole, even, FEW_ROWS):
        bk = bj = 0
        for j in range(0, columns, 2 * vector):
            if columns - j > vector:
                set_few_rows(c, start, a, b, i, j, i, 0, bk, bj, count)
            else:
                set_few_narrow_rows(c, start, a, b, i, j, i, 0, bk, bj, count)
            bk, bj = bk + b_step[0], bj + b_step[1]
    for i in range(even, rows):
        bk = bj = 0
        for j in range(0, columns, 2 * vector):
            if columns - j > vector:
                set_row(c, start, a, b, i, j, i, 0, bk, bj, count)
            else:
                set_narrow_row(c, start, a, b, i, j, i, 0, bk, bj, count)
            bk, bj = bk + b_step[0], bj + b_step[1]


@jit
def transpose(x, xt):
    """xt = x^T, and 0 where x has fewer rows than xt has columns."""
    for i in range(len(xt)):
        for j in range(len(x)):
            xt[i, j] = x[j, i]
        for j in range(len(x), xt.shape[1]):
            xt[i, j] = 0
