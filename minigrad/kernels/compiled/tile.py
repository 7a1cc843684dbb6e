"""The innermost loop of every product: a tile of the result, held in registers while k runs.

LLVM's vectorizer does not find this loop on its own, so it is spelled out in LLVM's instructions.
A tile has `rows` x 2 vectors of sums. For each k it loads two vectors of b and, row by row,
broadcasts one entry of a, multiplies and adds: 2 * rows multiply-adds for 2 + rows loads, so that
the loop is bound by arithmetic and not by memory. Narrow tiles, of one vector, compute the last
columns; the lanes beyond the last column are masked, in loads and in stores.

Source: Van Zee and van de Geijn, BLIS: A Framework for Rapidly Instantiating BLAS Functionality,
ACM TOMS 41(3), 2015, section 4 (the micro-kernel), doi:10.1145/2764454.
"""

from __future__ import annotations

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

_FEATURES = llvmlite.binding.get_host_cpu_features()
_ARM = "arm" in (triple := llvmlite.binding.get_process_triple()) or "aarch64" in triple

# The sums and one vector each of a and b must fit in the vector registers: 32 with AVX-512 (of 64
# bytes) and on ARM (of 16), 16 with AVX2 (of 32) and with SSE (of 16).
VECTOR_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
TILE_ROWS = 12 if _FEATURES.get("avx512f") or _ARM else 6
FEW_ROWS = 4


def _make_tile(rows, vectors):
    """A compiled function for tiles of so many rows, each of so many vectors."""

    def set_tile(c, start, a, b, i, j, k, count):
        """c[I, J] = start[I, J] + a[I, K] @ b[K, J], I = i:i+rows, J = j:j+columns, K = k:k+count.

        columns: as many as the vectors hold or, in a narrow tile, as c has from j on. start has the
        shape of c, and may be c, or a single row. Rows of b, c and start are contiguous, a has any
        strides; all are of one dtype. Nothing is checked: the tile must lie inside of c, count be
        at least 1.
        """
        columns = min(vectors * VECTOR_BYTES // c.itemsize, c.shape[1] - j)
        product = a[i : i + rows, k : k + count] @ b[k : k + count, j : j + columns]
        first = i if len(start) > 1 else 0
        c[i : i + rows, j : j + columns] = start[first : first + rows, j : j + columns] + product

    @intrinsic
    def compiled(typing_context, c, start, a, b, i, j, k, count):
        signature = types.void(c, start, a, b, *[types.intp] * 4)
        return signature, lambda context, builder, _, args: _emit(
            context, builder, (c, start, a, b), args, rows, range(vectors)
        )

    @overload(set_tile)
    def _(c, start, a, b, i, j, k, count):
        return lambda c, start, a, b, i, j, k, count: compiled(c, start, a, b, i, j, k, count)  # type: ignore[call-arg]

    return set_tile


C, START, A, B = range(4)  # where in the arguments


def _emit(context, builder, array_types, args, rows, columns):
    """Write the instructions of one tile."""
    i, j, k, count = args[4:]
    scalar = context.get_data_type(array_types[0].dtype)
    width = VECTOR_BYTES // context.get_abi_sizeof(scalar)
    vector = ir.VectorType(scalar, width)
    index, int32 = context.get_value_type(types.intp), ir.IntType(32)
    byte_pointer = ir.IntType(8).as_pointer()
    arrays = [
        context.make_array(kind)(context, builder, argument)
        for kind, argument in zip(array_types, args[:4], strict=True)
    ]

    def locate(number, row, column):
        """A pointer to an entry of an array, and the array's strides in bytes."""
        array = arrays[number]
        strides = cgutils.unpack_tuple(builder, array.strides)
        if number == START:  # a single row serves for all rows: with a stride of 0
            single = builder.icmp_signed("==", builder.extract_value(array.shape, 0), index(1))
            strides[0] = builder.select(single, index(0), strides[0])
        offsets = [builder.mul(n, s) for n, s in zip((row, column), strides, strict=True)]
        origin = builder.bitcast(array.data, byte_pointer)
        return builder.gep(origin, [builder.add(*offsets)]), *strides

    def entry(pointer, stride, row, kind):
        """A pointer of that kind to the start of a row."""
        first = builder.gep(pointer, [builder.mul(stride, index(row))])
        return builder.bitcast(first, kind.as_pointer())

    def spread(value):
        """A vector of equal entries."""
        undefined = ir.Constant(ir.VectorType(value.type, width), ir.Undefined)
        one = builder.insert_element(undefined, value, int32(0))
        zeros = ir.Constant(ir.VectorType(int32, width), [0] * width)
        return builder.shuffle_vector(one, undefined, zeros)

    def masked(action, result, *arguments):
        """A load or store of the lanes that are in c."""
        name = f"llvm.masked.{action}.v{width}f{8 * context.get_abi_sizeof(scalar)}.p0"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    def load(pointer):
        if len(columns) > 1:
            return builder.load(pointer, align=1)
        return masked("load", vector, pointer, int32(1), mask, ir.Constant(vector, None))

    def store(value, pointer):
        if len(columns) > 1:
            builder.store(value, pointer, align=1)
        else:
            masked("store", ir.VoidType(), value, pointer, int32(1), mask)

    lanes = ir.Constant(ir.VectorType(index, width), list(range(width)))
    left = builder.sub(builder.extract_value(arrays[C].shape, 1), j)
    mask = builder.icmp_signed("<", lanes, spread(left))
    c, c_row, _ = locate(C, i, j)
    start, start_row, _ = locate(START, i, j)
    a, a_row, a_column = locate(A, i, k)
    b, b_row, _ = locate(B, k, j)
    before, loop = builder.block, builder.append_basic_block("k")
    after = builder.append_basic_block("store")
    builder.branch(loop)

    builder.position_at_end(loop)
    step, a_now, b_now = (builder.phi(kind) for kind in (index, byte_pointer, byte_pointer))
    sums = [[builder.phi(vector) for _ in columns] for _ in range(rows)]
    b_start = builder.bitcast(b_now, vector.as_pointer())
    loaded = [load(builder.gep(b_start, [index(v)])) for v in columns]
    totals = []
    for row in range(rows):
        spread_a = spread(builder.load(entry(a_now, a_row, row, scalar), align=1))
        products = [builder.fmul(spread_a, b_vector, flags=["contract"]) for b_vector in loaded]
        pairs = zip(sums[row], products, strict=True)
        totals.append([builder.fadd(*pair, flags=["contract"]) for pair in pairs])
    following = builder.add(step, index(1))
    moved = builder.gep(a_now, [a_column]), builder.gep(b_now, [b_row])
    phis = [step, a_now, b_now, *(phi for row in sums for phi in row)]
    firsts = [index(0), a, b, *[ir.Constant(vector, None)] * (rows * len(columns))]
    ends = [following, *moved, *(total for row in totals for total in row)]
    for phi, first, end in zip(phis, firsts, ends, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(end, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

    builder.position_at_end(after)
    for row in range(rows):
        source, target = entry(start, start_row, row, vector), entry(c, c_row, row, vector)
        for v in columns:
            total = builder.fadd(load(builder.gep(source, [index(v)])), totals[row][v])
            store(total, builder.gep(target, [index(v)]))
    return context.get_dummy_value()


_KINDS = (TILE_ROWS, FEW_ROWS, 1)
set_tile, set_few_rows, set_row = (_make_tile(rows, 2) for rows in _KINDS)
set_narrow_tile, set_few_narrow_rows, set_narrow_row = (_make_tile(rows, 1) for rows in _KINDS)
