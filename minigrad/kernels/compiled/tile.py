"""The innermost loop of every product: a tile of the result, held in registers while k runs.

LLVM's vectorizer does not find this loop on its own, so it is spelled out in LLVM's instructions.
A tile has `rows` x 2 vectors of sums. For each k it loads two vectors of b and, row by row,
broadcasts one entry of a, multiplies and adds: 2 * rows multiply-adds for 2 + rows loads, so that
the loop is bound by arithmetic and not by memory. Narrow tiles, of one vector, compute the last
columns; lanes beyond c's last column are neither read from `start` nor written.

Source: Van Zee and van de Geijn, BLIS: A Framework for Rapidly Instantiating BLAS Functionality,
ACM TOMS 41(3), 2015, section 4 (the micro-kernel), doi:10.1145/2764454.
"""

from __future__ import annotations

import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload, register_jitable

# What numba compiles for: this processor, unless NUMBA_CPU_FEATURES says something else.
_TRIPLE, _, _FEATURES = cpu_target.target_context.codegen().magic_tuple()
_AVX2, _AVX512 = (f"+{name}" in _FEATURES.split(",") for name in ("avx2", "avx512f"))
_ARM = _TRIPLE.startswith(("arm", "aarch64"))

# The sums and one vector each of a and b must fit in the vector registers: 32 with AVX-512 (of 64
# bytes) and on ARM (of 16), 16 with AVX2 (of 32) and with SSE (of 16).
VECTOR_BYTES = 64 if _AVX512 else 32 if _AVX2 else 16
TILE_ROWS = 12 if _AVX512 or _ARM else 6
FEW_ROWS = 4
_LONG = 128  # products along so many entries give c the time to come into the cache meanwhile


def _make_tile(rows, vectors):
    """A compiled function for tiles of so many rows, each of so many vectors."""

    def set_tile(c, start, a, b, i, j, ai, ak, bk, bj, count):
        """c[i, j] = start[i, j] + sum of a[ai, ak + k] b[bk + k, bj] over k < count, and onwards.

        So for `rows` indices from i and ai on, and as many from j and bj on as the vectors hold or,
        at the end of c, as are left; but one more than the other vectors hold at least. b is read
        as far as the vectors go. start has the shape of c, and may be c, or it is a single row.
        Rows of b, c and start are contiguous, a may have any strides; all are of one dtype. Nothing
        is checked. count must be at least 1.
        """
        columns = min(vectors * VECTOR_BYTES // c.itemsize, c.shape[1] - j)
        first = i if len(start) > 1 else 0
        product = a[ai : ai + rows, ak : ak + count] @ b[bk : bk + count, bj : bj + columns]
        c[i : i + rows, j : j + columns] = start[first : first + rows, j : j + columns] + product

    @intrinsic
    def compiled(typing_context, c, start, a, b, i, j, ai, ak, bk, bj, count):
        signature = types.void(c, start, a, b, *[types.intp] * 7)
        return signature, lambda context, builder, _, args: _emit(
            context, builder, (c, start, a, b), args, rows, range(vectors)
        )

    @overload(set_tile)
    def _(c, start, a, b, i, j, ai, ak, bk, bj, count):
        return lambda c, start, a, b, i, j, ai, ak, bk, bj, count: compiled(  # type: ignore[call-arg]
            c, start, a, b, i, j, ai, ak, bk, bj, count
        )

    return set_tile


C, START, A, B = range(4)  # where in the arguments


def _emit(context, builder, array_types, args, rows, columns):
    """Write the instructions of one tile."""
    i, j, ai, ak, bk, bj, count = args[4:]
    scalar = context.get_data_type(array_types[0].dtype)
    size = context.get_abi_sizeof(scalar)
    width = VECTOR_BYTES // size
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

    def call(name, result, *arguments):
        """Call a function of LLVM's."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    c, c_row, _ = locate(C, i, j)
    start, start_row, _ = locate(START, i, j)
    a, a_row, a_column = locate(A, ai, ak)
    b, b_row, _ = locate(B, bk, bj)
    with builder.if_then(builder.icmp_signed(">=", count, index(_LONG))):
        for row in range(rows):
            for byte in {0, len(columns) * VECTOR_BYTES - size}:
                where = builder.gep(entry(c, c_row, row, ir.IntType(8)), [index(byte)])
                call("llvm.prefetch.p0", ir.VoidType(), where, int32(1), int32(3), int32(1))
    before, loop = builder.block, builder.append_basic_block("k")
    after = builder.append_basic_block("store")
    builder.branch(loop)

    builder.position_at_end(loop)
    step, a_now, b_now = (builder.phi(kind) for kind in (index, byte_pointer, byte_pointer))
    sums = [[builder.phi(vector) for _ in columns] for _ in range(rows)]
    b_start = builder.bitcast(b_now, vector.as_pointer())
    loaded = [builder.load(builder.gep(b_start, [index(v)]), align=1) for v in columns]
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
    lanes = ir.Constant(ir.VectorType(index, width), list(range(width)))
    left = builder.sub(builder.extract_value(arrays[C].shape, 1), j)
    left = builder.sub(left, index(width * columns[-1]))  # for the last vector
    mask = builder.icmp_signed("<", lanes, spread(left))
    masked = f"llvm.masked.{{}}.v{width}f{8 * size}.p0"
    with builder.if_else(builder.icmp_signed("<", left, index(width))) as branches:
        for branch, is_masked in zip(branches, (True, False), strict=True):
            with branch:
                for row, v in itertools.product(range(rows), columns):
                    source = builder.gep(entry(start, start_row, row, vector), [index(v)])
                    target = builder.gep(entry(c, c_row, row, vector), [index(v)])
                    if is_masked and v == columns[-1]:
                        nothing = ir.Constant(vector, None)
                        first = call(masked.format("load"), vector, source, int32(1), mask, nothing)
                        total = builder.fadd(first, totals[row][v])
                        store = masked.format("store")
                        call(store, ir.VoidType(), total, target, int32(1), mask)
                    else:
                        total = builder.fadd(builder.load(source, align=1), totals[row][v])
                        builder.store(total, target, align=1)
    return context.get_dummy_value()


def _make_tiles(rows):
    """A compiled function for as many tiles of so many rows as c has columns for."""
    wide, narrow = _make_tile(rows, 2), _make_tile(rows, 1)

    @register_jitable
    def set_tiles(c, start, a, b, i, ai, ak, b_step, count):
        """`set_tile` for j = 0 and onwards; the place in b moves by b_step: (rows, columns)."""
        vector = VECTOR_BYTES // c.itemsize
        bk = bj = 0
        for j in range(0, c.shape[1], 2 * vector):
            if c.shape[1] - j > vector:
                wide(c, start, a, b, i, j, ai, ak, bk, bj, count)
            else:
                narrow(c, start, a, b, i, j, ai, ak, bk, bj, count)
            bk, bj = bk + b_step[0], bj + b_step[1]

    return set_tiles


set_tiles, set_few_rows, set_row = map(_make_tiles, (TILE_ROWS, FEW_ROWS, 1))


def _make_copy(count):
    """A compiled function that copies neighbouring entries, as many as `count` says for a size."""

    def copy(target, k, source, j):
        """target[k] = source[k, j:j+columns].    Rows are contiguous; nothing is checked."""
        target[k] = source[k, j : j + target.shape[1]]

    @intrinsic
    def compiled(typing_context, target, k, source, j):
        def emit(context, builder, _, args):
            scalar = context.get_data_type(target.dtype)
            size = context.get_abi_sizeof(scalar)
            vector = ir.VectorType(scalar, count(size))

            def locate(kind, array, column):
                view = context.make_array(kind)(context, builder, array)
                row = builder.mul(args[1], builder.extract_value(view.strides, 0))
                offset = builder.add(row, builder.mul(column, column.type(size)))
                start = builder.bitcast(view.data, ir.IntType(8).as_pointer())
                return builder.bitcast(builder.gep(start, [offset]), vector.as_pointer())

            to, origin = locate(target, args[0], args[3].type(0)), locate(source, args[2], args[3])
            builder.store(builder.load(origin, align=1), to, align=1)
            return context.get_dummy_value()

        return types.void(target, types.intp, source, types.intp), emit

    @overload(copy)
    def _(target, k, source, j):
        return lambda target, k, source, j: compiled(target, k, source, j)  # type: ignore[call-arg]

    return copy


copy_vectors = _make_copy(lambda size: 2 * VECTOR_BYTES // size)
copy_tile_rows = _make_copy(lambda size: TILE_ROWS)
