"""How weights are kept, and the products with them: the twins of `matrix_*.c`.

A kind of weights is a class in the table `MATRICES`.
"""

from __future__ import annotations

import numpy as np

from minigrad import Array
from teenygpt_np.exporter.twin.arithmetic import gelu, gelu_table, quantize


class Matrix:
    """W (O, I), with b (O) or without.

    gelu: GELU, as exact as the products are
    arrays: what is kept in flash, by the name of its field in C's `struct matrix`; None is NULL
    """

    files: tuple[str, ...]  # of its C code
    gelu = staticmethod(gelu)
    quantizes = False  # whether a product needs memory for its input in whole numbers
    most_inputs: float = np.inf  # that a sum can be of

    def __init__(self, weight: Array, bias: Array | None = None) -> None:
        self.outputs, self.inputs = weight.shape
        self.bias = bias
        self.arrays: dict[str, Array | None] = {}

    def added(self, y: Array, x: Array, outputs: slice, inputs: slice) -> Array:
        """y + W[outputs, inputs] x, by C's `add_product`.    (B, O), (B, I) -> (B, O)"""
        raise TypeError("Matrix is a base class; MATRICES has the kinds")

    def rows(self, ids: Array) -> Array:
        """Rows of W, by C's `look_up`.    (B) -> (B, I)"""
        raise TypeError("Matrix is a base class; MATRICES has the kinds")

    def table(self) -> dict[str, Array]:
        """The arrays, by the names in C's `struct table`."""
        raise TypeError("Matrix is a base class; MATRICES has the kinds")

    def __call__(self, x: Array) -> Array:
        """W x + b, by C's `linear`.    (B, I) -> (B, O)"""
        zeros = np.zeros((len(x), self.outputs), np.float32)
        y = self.added(zeros, x, slice(None), slice(None))
        return y if self.bias is None else y + self.bias


class Float32Matrix(Matrix):
    """W as it is."""

    files = ("gelu.c", "matrix_float32.c")

    def __init__(self, weight: Array, bias: Array | None = None) -> None:
        super().__init__(weight, bias)
        self._weight = weight
        self._columns = np.ascontiguousarray(weight.T)
        self.arrays = {"columns": self._columns}

    def added(self, y: Array, x: Array, outputs: slice, inputs: slice) -> Array:
        """Input by input, as in C, so that every sum has C's order."""
        y = y.copy()
        for column, entry in zip(self._columns[inputs, outputs], x.T, strict=True):
            y += column * entry[:, None]
        return y

    def rows(self, ids: Array) -> Array:
        """Rows of W."""
        return self._weight[ids]

    def table(self) -> dict[str, Array]:
        """W itself, not its columns."""
        return {"rows": self._weight}


class Int8Matrix(Matrix):
    """Each row of W as whole numbers in -127..127 times a scale."""

    files = ("gelu_table.c", "quantize.c", "matrix_int8.c")
    gelu = staticmethod(gelu_table)
    quantizes = True
    most_inputs = (2**31 - 1) // 127**2

    def __init__(self, weight: Array, bias: Array | None = None) -> None:
        super().__init__(weight, bias)
        whole, scales = quantize(weight)
        self._rows, self._scales = whole.astype(np.int8), scales[:, 0]
        self.arrays = {"rows": self._rows, "scales": self._scales}
        self._whole = whole.astype(np.float64).T  # float64 holds sums of 2^53: they are exact

    def added(self, y: Array, x: Array, outputs: slice, inputs: slice) -> Array:
        """x is quantized, and the sums are of whole numbers, in any order."""
        whole, scale = quantize(x)
        sums = (whole.astype(np.float64) @ self._whole[inputs, outputs]).astype(np.float32)
        return y + sums * (self._scales[outputs] * scale)

    def rows(self, ids: Array) -> Array:
        """Rows of W, as they are after quantizing."""
        return self._rows[ids].astype(np.float32) * self._scales[ids][:, None]

    def table(self) -> dict[str, Array]:
        """Those of `struct matrix`."""
        return {"rows": self._rows, "scales": self._scales}


class TernaryMatrix(Float32Matrix):
    """Rows of -1, 0 and 1 times a scale, if all are such rows, five numbers in a byte; or floats.

    Learned so (`model.ternary`), a matrix is not changed by it.
    """

    files = ("gelu.c", "matrix_ternary.c")

    def __init__(self, weight: Array, bias: Array | None = None) -> None:
        super().__init__(weight, bias)
        scales = np.abs(weight).max(axis=1, keepdims=True)
        signs = np.sign(weight)
        self.is_ternary = bool((weight == signs * scales).all())
        self._signs = signs.T
        self.arrays = {"rows": None, "scales": None, "columns": self._columns}
        if self.is_ternary:
            self.arrays = {"rows": _packed(signs), "scales": scales[:, 0], "columns": None}
        self._scales = scales[:, 0]

    def added(self, y: Array, x: Array, outputs: slice, inputs: slice) -> Array:
        """Input by input, as in C."""
        if not self.is_ternary:
            return super().added(y, x, outputs, inputs)
        sums = np.zeros_like(y)
        for column, entry in zip(self._signs[inputs, outputs], x.T, strict=True):
            sums += column * entry[:, None]
        return y + sums * self._scales[outputs]


def _packed(signs: Array) -> Array:
    """Each row of -1, 0 and 1 in bytes: sum of t[k] 3^k over five.    (O, I) -> (O, ceil(I / 5))"""
    rows, columns = signs.shape
    filled = np.zeros((rows, -(-columns // 5) * 5), np.int8)
    filled[:, :columns] = signs
    return (filled.reshape(rows, -1, 5) @ 3 ** np.arange(5)).astype(np.int8)


MATRICES: dict[str, type[Matrix]] = {
    "float32": Float32Matrix,
    "int8": Int8Matrix,
    "ternary": TernaryMatrix,
}
