"""Products of matrices: two loops that LLVM turns into full vectors, and when to use them.

Both do 16 multiply-adds for every 8 vectors they load. `add_product` runs along the rows of b and
c, so it wants these long and contiguous; `add_dot_products` keeps its 16 sums in registers and
wants long rows in a and b.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.compiled.jit import jit

# Entries of one row of c to work on at a time: 4 rows of b and 4 of c then stay in the first-level
# cache.
_TILE = 256


def matmul(a, b):
    """See the reference."""
    return np.matmul(a, b)


@jit
def add_product(c, a, b):
    """c += a @ b.    c: (M, N), a: (M, K), b: (K, N); rows of b and c contiguous."""
    rows, inner = a.shape
    columns = b.shape[1]
    even_rows, even_inner = rows - rows % 4, inner - inner % 4
    for start in range(0, columns, _TILE):
        stop = min(columns, start + _TILE)
        for i in range(0, even_rows, 4):
            c0, c1 = c[i, start:stop], c[i + 1, start:stop]
            c2, c3 = c[i + 2, start:stop], c[i + 3, start:stop]
            for k in range(0, even_inner, 4):
                b0, b1 = b[k, start:stop], b[k + 1, start:stop]
                b2, b3 = b[k + 2, start:stop], b[k + 3, start:stop]
                a00, a01, a02, a03 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
                a10, a11, a12, a13 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
                a20, a21, a22, a23 = a[i + 2, k], a[i + 2, k + 1], a[i + 2, k + 2], a[i + 2, k + 3]
                a30, a31, a32, a33 = a[i + 3, k], a[i + 3, k + 1], a[i + 3, k + 2], a[i + 3, k + 3]
                for j in range(stop - start):
                    x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                    c0[j] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
                    c1[j] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
                    c2[j] += a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
                    c3[j] += a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3
            for k in range(even_inner, inner):
                bk = b[k, start:stop]
                a0, a1, a2, a3 = a[i, k], a[i + 1, k], a[i + 2, k], a[i + 3, k]
                for j in range(stop - start):
                    c0[j] += a0 * bk[j]
                    c1[j] += a1 * bk[j]
                    c2[j] += a2 * bk[j]
                    c3[j] += a3 * bk[j]
        for i in range(even_rows, rows):
            ci = c[i, start:stop]
            for k in range(inner):
                aik, bk = a[i, k], b[k, start:stop]
                for j in range(stop - start):
                    ci[j] += aik * bk[j]


@jit
def add_dot_products(c, a, b):
    """c += a @ b^T.    c: (M, N), a: (M, K), b: (N, K); rows of a and b contiguous."""
    rows, columns, inner = len(a), len(b), a.shape[1]
    even_rows, even_columns = rows - rows % 4, columns - columns % 4
    zero = c.dtype.type(0)
    for i in range(0, even_rows, 4):
        a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        for j in range(0, even_columns, 4):
            b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
            s00, s01, s02, s03 = zero, zero, zero, zero
            s10, s11, s12, s13 = zero, zero, zero, zero
            s20, s21, s22, s23 = zero, zero, zero, zero
            s30, s31, s32, s33 = zero, zero, zero, zero
            for k in range(inner):
                x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
                y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
                s00, s01, s02, s03 = s00 + x0 * y0, s01 + x0 * y1, s02 + x0 * y2, s03 + x0 * y3
                s10, s11, s12, s13 = s10 + x1 * y0, s11 + x1 * y1, s12 + x1 * y2, s13 + x1 * y3
                s20, s21, s22, s23 = s20 + x2 * y0, s21 + x2 * y1, s22 + x2 * y2, s23 + x2 * y3
                s30, s31, s32, s33 = s30 + x3 * y0, s31 + x3 * y1, s32 + x3 * y2, s33 + x3 * y3
            _add_four(c, i, j, s00, s01, s02, s03)
            _add_four(c, i + 1, j, s10, s11, s12, s13)
            _add_four(c, i + 2, j, s20, s21, s22, s23)
            _add_four(c, i + 3, j, s30, s31, s32, s33)
        for j in range(even_columns, columns):
            _add_dots(c, a, b, i, i + 4, j)
    for j in range(columns):
        _add_dots(c, a, b, even_rows, rows, j)


@jit
def _add_four(c, i, j, s0, s1, s2, s3):
    c[i, j] += s0
    c[i, j + 1] += s1
    c[i, j + 2] += s2
    c[i, j + 3] += s3


@jit
def _add_dots(c, a, b, start, stop, j):
    for i in range(start, stop):
        total = c.dtype.type(0)
        for k in range(a.shape[1]):
            total += a[i, k] * b[j, k]
        c[i, j] += total
