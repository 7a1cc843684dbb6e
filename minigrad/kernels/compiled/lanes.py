"""Matrices in the lanes of vectors, one in each: how they get there, and their products.

Where matrices are small, as a narrow head's of few positions, a tile of one of them would be mostly
address arithmetic, loads and stores. With a matrix in each lane of a vector every multiply-add is
one of whole vectors, whatever the shape. Spelled out in LLVM's instructions as in `tile.py`: the
sums stay in registers while k runs.

Source: Kim et al., Designing vector-friendly compact BLAS and LAPACK kernels, SC 2017,
doi:10.1145/3126908.3126941.
"""

from __future__ import annotations

import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from minigrad.kernels.compiled.jit import jit
from minigrad.kernels.compiled.tile import TILE_ROWS, VECTOR_BYTES

SIDE = 4 if TILE_ROWS == 12 else 3  # of a tile: SIDE^2 sums, SIDE + 1 factors in the registers
_GROUP = 4  # lanes, and numbers of each, that change places together


def set_tile(c, a, b, i, j, count, add):
    """c[i, j] = sum of a[i, k] b[j, k] over k < count, for SIDE i and j; on top of c if add.

    The last axis is that of the lanes, contiguous, and as long as a vector. Nothing is checked.
    """
    rows, columns = slice(i, i + SIDE), slice(j, j + SIDE)
    product = (a[rows, None, :count] * b[None, columns, :count]).sum(axis=2)
    c[rows, columns] = c[rows, columns] + product if add else product


@intrinsic
def _compiled(typing_context, c, a, b, i, j, count, add):
    signature = types.void(c, a, b, types.intp, types.intp, types.intp, types.boolean)
    return signature, lambda context, builder, _, args: _emit(context, builder, (c, a, b), args)


@overload(set_tile)
def _(c, a, b, i, j, count, add):
    return lambda c, a, b, i, j, count, add: _compiled(c, a, b, i, j, count, add)  # type: ignore[call-arg]


def _emit(context, builder, array_types, args):
    """Write the instructions of one tile."""
    i, j, count, add = args[3:]
    scalar = context.get_data_type(array_types[0].dtype)
    vector = ir.VectorType(scalar, VECTOR_BYTES // context.get_abi_sizeof(scalar))
    index, bytes_ = context.get_value_type(types.intp), ir.IntType(8).as_pointer()
    arrays = [
        context.make_array(kind)(context, builder, argument)
        for kind, argument in zip(array_types, args[:3], strict=True)
    ]
    strides = [cgutils.unpack_tuple(builder, array.strides)[:2] for array in arrays]

    def moved(pointer, stride, steps):
        return builder.gep(pointer, [builder.mul(stride, steps)])

    def at(pointer):
        return builder.bitcast(pointer, vector.as_pointer())

    origins = [builder.bitcast(array.data, bytes_) for array in arrays]
    c, a, b = (
        moved(origin, stride, place)
        for origin, (stride, _), place in zip(origins, strides, (i, i, j), strict=True)
    )
    c = moved(c, strides[0][1], j)
    before, loop = builder.block, builder.append_basic_block("k")
    after = builder.append_basic_block("store")
    builder.branch(loop)

    builder.position_at_end(loop)
    step, a_now, b_now = (builder.phi(kind) for kind in (index, bytes_, bytes_))
    places = list(itertools.product(range(SIDE), repeat=2))
    sums = {place: builder.phi(vector) for place in places}
    left, right = (
        [builder.load(at(moved(now, stride, index(n))), align=1) for n in range(SIDE)]
        for now, (stride, _) in zip((a_now, b_now), strides[1:], strict=True)
    )
    totals = {}
    for row, column in places:
        product = builder.fmul(left[row], right[column], flags=["contract"])
        totals[row, column] = builder.fadd(sums[row, column], product, flags=["contract"])
    following = builder.add(step, index(1))
    ends = [moved(n, s, index(1)) for n, (_, s) in zip((a_now, b_now), strides[1:], strict=True)]
    phis, zero = [step, a_now, b_now, *sums.values()], ir.Constant(vector, None)
    firsts = [index(0), a, b, *[zero] * len(places)]
    for phi, first, end in zip(phis, firsts, [following, *ends, *totals.values()], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(end, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

    builder.position_at_end(after)
    targets = {
        (row, column): at(moved(moved(c, strides[0][0], index(row)), strides[0][1], index(column)))
        for row, column in places
    }
    with builder.if_else(builder.trunc(add, ir.IntType(1))) as branches:
        for branch, is_added in zip(branches, (True, False), strict=True):
            with branch:
                for place, target in targets.items():
                    total = totals[place]
                    if is_added:
                        total = builder.fadd(builder.load(target, align=1), total)
                    builder.store(total, target, align=1)
    return context.get_dummy_value()


def to_lanes(packed, c, i, n, flat, offsets, shift, scale):
    """packed[c, i : i + 4, n + m] = scale * the four numbers of flat from offsets[m] + shift on.

    So for each m below the number of a vector's lanes. Nothing is checked.
    """
    for m, offset in enumerate(offsets):
        packed[c, i : i + _GROUP, n + m] = scale * flat[offset + shift :][:_GROUP]


def from_lanes(packed, c, i, n, flat, offsets, shift, scale):
    """The reverse: the four numbers of flat = scale * packed[c, i : i + 4, n + m], for each m."""
    for m, offset in enumerate(offsets):
        flat[offset + shift :][:_GROUP] = scale * packed[c, i : i + _GROUP, n + m]


def _make_move(function, is_there):
    """`to_lanes` or `from_lanes`, compiled."""

    @intrinsic
    def compiled(typing_context, packed, c, i, n, flat, offsets, shift, scale):
        places = types.intp, types.intp, types.intp
        signature = types.void(packed, *places, flat, offsets, types.intp, scale)
        return signature, lambda context, builder, _, args: _emit_move(
            context, builder, (packed, flat, offsets), args, is_there
        )

    @overload(function)
    def _(packed, c, i, n, flat, offsets, shift, scale):
        return lambda packed, c, i, n, flat, offsets, shift, scale: compiled(  # type: ignore[call-arg]
            packed, c, i, n, flat, offsets, shift, scale
        )


def _emit_move(context, builder, array_types, args, is_there):
    """Write the instructions of `to_lanes` or `from_lanes`."""
    packed, flat, offsets = (
        context.make_array(kind)(context, builder, args[place])
        for kind, place in zip(array_types, (0, 4, 5), strict=True)
    )
    scalar = context.get_data_type(array_types[0].dtype)
    size = context.get_abi_sizeof(scalar)
    lanes = VECTOR_BYTES // size
    vector, group = ir.VectorType(scalar, lanes), ir.VectorType(scalar, _GROUP)
    index, int32 = context.get_value_type(types.intp), ir.IntType(32)

    def shuffled(x, y, numbers):
        mask = ir.Constant(ir.VectorType(int32, len(numbers)), list(numbers))
        return builder.shuffle_vector(x, y, mask)

    def each_group(x, y, *numbers):
        """Of each group: numbers 0..3 are its own in x, 4..7 those in y."""
        places = [n % _GROUP + lanes * (n // _GROUP) for n in numbers]
        return shuffled(x, y, [g + p for g in range(0, lanes, _GROUP) for p in places])

    def transposed(x):
        """Four vectors: in each group, number n of vector m changes places with m of n."""
        low, high = (0, 4, 1, 5), (2, 6, 3, 7)
        t = [each_group(*pair, *of) for of in (low, high) for pair in (x[:2], x[2:])]
        return [each_group(*p, *of) for p in (t[:2], t[2:]) for of in ((0, 1, 4, 5), (2, 3, 6, 7))]

    def row(m):
        """A pointer to the four numbers of lane m."""
        offset = builder.load(builder.gep(offsets.data, [index(m)]))
        place = builder.gep(flat.data, [builder.add(offset, args[6])])
        return builder.bitcast(place, group.as_pointer())

    def column(k):
        """A pointer to the lanes' number k."""
        numbers = args[1], builder.add(args[2], index(k)), args[3]
        strides = cgutils.unpack_tuple(builder, packed.strides)
        steps = [builder.mul(n, stride) for n, stride in zip(numbers, strides, strict=True)]
        place = builder.bitcast(packed.data, ir.IntType(8).as_pointer())
        for step in steps:
            place = builder.gep(place, [step])
        return builder.bitcast(place, vector.as_pointer())

    def scaled(x):
        factor = builder.insert_element(ir.Constant(vector, ir.Undefined), args[7], int32(0))
        return builder.fmul(x, shuffled(factor, factor, [0] * lanes))

    if lanes < _GROUP:  # never run
        return context.get_dummy_value()
    if is_there:
        loaded = [scaled(builder.load(column(k), align=1)) for k in range(_GROUP)]
        for k, x in enumerate(transposed(loaded)):
            for g in range(0, lanes, _GROUP):
                part = shuffled(x, x, range(g, g + _GROUP))
                builder.store(part, row(g + k), align=1)
        return context.get_dummy_value()
    joined = []
    for k in range(_GROUP):
        parts = [builder.load(row(m), align=1) for m in range(k, lanes, _GROUP)]
        while len(parts) > 1:
            pairs, numbers = zip(parts[::2], parts[1::2], strict=True), parts[0].type.count
            parts = [shuffled(*pair, range(2 * numbers)) for pair in pairs]
        joined += parts
    for k, x in enumerate(transposed(joined)):
        builder.store(scaled(x), column(k), align=1)
    return context.get_dummy_value()


_make_move(to_lanes, False)
_make_move(from_lanes, True)


@jit
def set_products(c, a, b, add):
    """c = a b^T in every lane; on top of c if add.    c: (M, N, L), a: (M, K, L), b: (N, K, L)

    M and N are multiples of `SIDE`, K is at least 1; the first two axes may have any strides.
    """
    for i in range(0, c.shape[0], SIDE):
        for j in range(0, c.shape[1], SIDE):
            set_tile(c, a, b, i, j, a.shape[1], add)
