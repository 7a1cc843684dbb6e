"""The inputs of the operations in registry.py: strategies that draw arrays and settings.

Hypothesis draws the shapes, settings and a seed; the entries come from NumPy, which is faster.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """The arguments of an operation: arrays, then settings."""

    arrays: tuple[Array, ...]
    settings: dict[str, Any]


# -- layouts ---------------------------------------------------------------------------------------

LAYOUTS = ("plain", "transposed", "strided", "reversed", "read-only", "unaligned")


def lay_out(array: Array, layout: str) -> Array:
    """The same array with another memory layout; the gaps hold values too large even for an id."""
    if layout == "transposed":
        return np.array(array, order="F")
    if layout == "strided":
        wide = np.full((*array.shape, 2), 10**6).astype(array.dtype)
        wide[..., 0] = array
        return wide[..., 0]
    if layout == "reversed":
        return np.flip(np.flip(array).copy())
    if layout == "unaligned":
        raw = np.frombuffer(bytearray(array.nbytes + 1), np.uint8, offset=1)
        shifted = raw.view(array.dtype).reshape(array.shape)
        shifted[...] = array
        return shifted
    if layout == "other byte order":
        return array.astype(array.dtype.newbyteorder())
    array = array.copy()
    array.flags.writeable = layout != "read-only"
    return array


# -- entries ---------------------------------------------------------------------------------------

Values = Callable[[np.random.Generator, Sequence[Shape]], tuple[Array, ...]]
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def uniform(low: float, high: float) -> Values:
    return lambda rng, shapes: tuple([np.array(rng.uniform(low, high, s)) for s in shapes])


def nonzero(rng: np.random.Generator, shapes: Sequence[Shape]) -> tuple[Array, ...]:
    """Entries of both signs, none near 0."""
    return tuple([np.array(rng.uniform(0.2, 3, s) * rng.choice([-1, 1], s)) for s in shapes])


def apart(rng: np.random.Generator, shapes: Sequence[Shape]) -> tuple[Array, ...]:
    """Entries of all arrays, no two of them closer to each other than 0.1."""
    sizes = [math.prod(shape) for shape in shapes]
    entries = 0.1 * rng.permutation(sum(sizes)) - 0.05 * sum(sizes)
    parts = np.split(entries, np.cumsum(sizes)[:-1])
    return tuple([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)])


def with_condition(rng: np.random.Generator, shapes: Sequence[Shape]) -> tuple[Array, ...]:
    first, *others = real(rng, shapes)
    return np.asarray(first > 0), *others


real, small, positive = uniform(-3, 3), uniform(-1, 1), uniform(0.2, 3)

# -- shapes ----------------------------------------------------------------------------------------

shapes_of_any_kind = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def choose(draw: st.DrawFn, choices: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: draw(st.sampled_from(values)) for name, values in choices.items()}


def filled(shapes: st.SearchStrategy[Any], values: Values = real) -> st.SearchStrategy[Case]:
    """Arrays of the shapes drawn, and no settings."""
    return st.builds(lambda rng, drawn: Case(values(rng, drawn), {}), generators, shapes)


@st.composite
def one(draw: st.DrawFn, /, values: Values = real, **choices: list[Any]) -> Case:
    """One array of any shape."""
    return Case(values(draw(generators), [draw(shapes_of_any_kind)]), choose(draw, choices))


def broadcast(count: int, values: Values = real) -> st.SearchStrategy[Case]:
    """Arrays whose shapes broadcast."""
    together = hnp.mutually_broadcastable_shapes(
        num_shapes=count, min_side=0, max_side=3, max_dims=3
    )
    alike = shapes_of_any_kind.map(lambda shape: (shape,) * count)
    # Rarely drawn otherwise: an axis longer than 1 that only one array has.
    longer = st.permutations([(3, 2), (2,), ()][:count])
    drawn = together.map(lambda drawn: drawn.input_shapes)
    return filled(st.one_of(drawn, alike, longer), values)


@st.composite
def reduced(
    draw: st.DrawFn,
    /,
    values: Values = real,
    *,
    empty: bool = False,
    several: bool = False,
    **choices: list[Any],
) -> Case:
    """One array and axes of it, of length above 0 unless `empty`; at least two if `several`."""
    sides = {"min_dims": int(several), "max_dims": 3, "min_side": 1 + several, "max_side": 3}
    shape = list(draw(hnp.array_shapes(**sides)))
    axes = draw(hnp.valid_tuple_axes(len(shape), min_size=int(several)))
    axis = draw(st.sampled_from([None, axes, *axes[:1]]))
    kept = range(len(shape)) if empty else {*range(len(shape))} - {i % len(shape) for i in axes}
    if kept and (empty or axis is not None) and draw(st.integers(0, 3)) == 0:
        shape[draw(st.sampled_from(sorted(kept)))] = 0
    settings = {"axis": axis, "keepdims": draw(st.booleans())} | choose(draw, choices)
    return Case(values(draw(generators), [tuple(shape)]), settings)


@st.composite
def along_axis(draw: st.DrawFn) -> Case:
    """One array and one of its axes."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Case(real(draw(generators), [shape]), {"axis": axis})


BATCHES: list[Shape] = [(), (1,), (3,), (2, 3), (2, 0), (0,)]


@st.composite
def letters(
    draw: st.DrawFn,
    /,
    spelled: str,
    *,
    empty: str = "",
    batches: list[Shape] = BATCHES,
    values: Values = real,
    **choices: list[Any],
) -> Case:
    """Shapes written as "*I OI O": a letter is a length, perhaps 0 if in `empty`; * a batch."""
    names = sorted(set(spelled) & set(string.ascii_letters))
    lengths: dict[str, Shape] = {"*": draw(st.sampled_from(batches))}
    if draw(st.booleans()):
        lengths |= {name: (draw(st.integers(name not in empty, 4)),) for name in names}
    else:
        lengths |= dict.fromkeys(names, (3,))
    shapes = [sum((lengths[c] for c in word), ()) for word in spelled.split()]
    return Case(values(draw(generators), shapes), choose(draw, choices))


def products() -> st.SearchStrategy[Case]:
    """Matrices, batches of them that broadcast, and vectors; some of more than 16 rows.

    The compiled kernel leaves products of up to 16 rows to BLAS.
    """
    together = hnp.mutually_broadcastable_shapes(
        signature="(m?,k),(k,n?)->(m?,n?)", min_side=0, max_side=3, max_dims=2
    )
    alike = [((n, n), (n, n)) for n in range(4)]
    large = [((17, 3), (3, 2)), ((2, 9, 3), (3, 2)), ((2, 9, 3), (2, 3, 2)), ((2, 17), (17, 3))]
    return filled(
        st.one_of(together.map(lambda drawn: drawn.input_shapes), st.sampled_from(alike + large))
    )


@st.composite
def attention(draw: st.DrawFn) -> Case:
    """Queries, keys and values; as many queries as keys or fewer."""
    batch, heads = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    queries, width = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    if draw(st.integers(0, 9)) == 0:  # from 17 queries on, the compiled kernel works differently
        batch, heads, queries, width = 1, 1, 17, 2
    keys = queries + draw(st.sampled_from([0, 0, 1, 3]))
    shapes = [(batch, heads, length, width) for length in (queries, keys, keys)]
    return Case(real(draw(generators), shapes), {})


@st.composite
def any_attention(draw: st.DrawFn) -> Case:
    """Queries, keys and values, of one sequence or of two; all seen, or some."""
    batch, heads = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    queries, keys, width = draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)))
    if draw(st.integers(0, 9)) == 0:  # from 17 queries on, the compiled kernel works differently
        batch, heads, queries, keys, width = 2, 1, 17, draw(st.integers(16, 20)), 2
    shapes = [(batch, heads, length, width) for length in (queries, keys, keys)]
    of_row = st.integers(1, keys)
    lengths = draw(st.none() | st.lists(of_row, min_size=batch, max_size=batch).map(np.array))
    if lengths is not None:
        lengths = lengths.astype(np.int64)  # an empty list has no integers
    causal = draw(st.booleans()) if queries <= keys else False
    return Case(real(draw(generators), shapes), {"lengths": lengths, "causal": causal})


@st.composite
def recurrence(draw: st.DrawFn, gates: int) -> Case:
    """Sequences, weights and biases of so many gates, and perhaps a state to begin with."""
    batch, length = draw(st.tuples(st.integers(0, 3), st.integers(1, 5)))
    inputs, width = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    rows, rng = gates * width, draw(generators)
    shapes = [(batch, length, inputs), (rows, inputs), (rows, width), (rows,), (rows,)]
    [state] = small(rng, [(batch, width)])
    return Case(small(rng, shapes), {"state": draw(st.sampled_from([None, state]))})


@st.composite
def convolution(draw: st.DrawFn) -> Case:
    """Sequences, weights of all channels or of each by itself, and perhaps inputs before them."""
    batch, length = draw(st.tuples(st.integers(0, 3), st.integers(1, 5)))
    inputs, outputs, taps = draw(st.tuples(*[st.integers(1, 4)] * 3))
    weight = draw(st.sampled_from([(outputs, inputs, taps), (inputs, 1, taps)]))
    rng = draw(generators)
    arrays = real(rng, [(batch, length, inputs), weight, weight[:1]])
    [state] = real(rng, [(batch, taps - 1, inputs)])
    return Case(arrays, {"state": draw(st.sampled_from([None, state]))})


@st.composite
def halves(draw: st.DrawFn) -> Case:
    """Rows of an even length."""
    shape = *draw(st.sampled_from(BATCHES)), 2 * draw(st.integers(0, 3))
    return Case(real(draw(generators), [shape]), {})


@st.composite
def token_shift(draw: st.DrawFn) -> Case:
    """Sequences, what is mixed in at each token or at several, and perhaps a token before them."""
    batch, length, width = draw(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(1, 4)))
    mix = draw(st.sampled_from([(batch, length, width), (1, 1, width), (batch, 1, 1)]))
    arrays = real(draw(generators), [(batch, length, width), mix, (batch, 1, width)])
    return Case(arrays[:2], {"before": draw(st.sampled_from([None, arrays[2]]))})


@st.composite
def scan(draw: st.DrawFn) -> Case:
    """Inputs of a selective scan, decays from none to strong, and perhaps a state before them."""
    batch, length = draw(st.tuples(st.integers(0, 3), st.integers(0, 5)))
    channels, states = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    if draw(st.integers(0, 9)) == 0:  # the kernels hold a state every 16 tokens
        batch, length, channels, states = 1, 17, 2, 1
    rng, strength = draw(generators), draw(st.sampled_from([0, 1, 100]))
    per_token = (batch, length, channels), (batch, length, states)
    u, B, C, D = real(rng, [per_token[0], per_token[1], per_token[1], (channels,)])
    dt, A = rng.random(per_token[0]), -strength * rng.random((channels, states))
    state = rng.standard_normal((batch, channels, states))
    return Case((u, dt, A, B, C, D), {"state": draw(st.sampled_from([None, state]))})


@st.composite
def decayed_attention(draw: st.DrawFn) -> Case:
    """Queries, keys, values and decays from none to strong; with u and a state, or without."""
    batch, heads = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    length, width, columns = draw(st.tuples(*[st.integers(1, 4)] * 3))
    if draw(st.integers(0, 9)) == 0:  # the kernels hold a state every 16 positions
        batch, heads, length, width, columns = 1, 1, 17, 2, 1
    tall = (batch, heads, length, width)
    decays = draw(st.sampled_from([tall, tall, (heads, 1, 1), (length, 1), (width,), ()]))
    rng = draw(generators)
    q, k, v = real(rng, [tall, tall, (*tall[:3], columns)])
    g = -draw(st.sampled_from([0, 1, 100])) * rng.random(decays)
    state = rng.standard_normal((batch, heads, width, columns))
    u = draw(st.sampled_from([(), tuple(real(rng, [(heads, width)]))]))
    return Case((q, k, v, np.array(g), *u), {"state": draw(st.sampled_from([None, state]))})


@st.composite
def points(draw: st.DrawFn) -> Case:
    """Pairs of entries, and an angle for each, or one for several."""
    batch, pairs = draw(st.sampled_from(BATCHES)), draw(st.integers(0, 4))
    rng = draw(generators)
    angles = draw(st.sampled_from([(*batch, pairs), (pairs,), (1,), ()]))
    return Case((*real(rng, [(*batch, 2 * pairs)]), np.array(10 * rng.standard_normal(angles))), {})


@st.composite
def scores(draw: st.DrawFn) -> Case:
    """Logits, and targets, at least one of which counts if the reduction is a mean."""
    batch, classes = draw(st.sampled_from(BATCHES)), draw(st.integers(1, 4))
    rng, ignored = draw(generators), draw(st.sampled_from([-100, 0, 2]))
    kind = draw(st.sampled_from(["i8", ">i2", *["u1"] * (ignored >= 0)]))
    target = np.array(rng.integers(0, classes, batch), kind)
    target[rng.random(batch) < 0.3] = ignored
    reduction = draw(st.sampled_from(["none", "sum", "mean"]))
    if reduction == "mean" and np.all(target == ignored):
        reduction = "sum"
    settings = {"reduction": reduction, "ignore_index": ignored}
    return Case((*real(rng, [(*batch, classes)]), target), settings)


@st.composite
def lookups(draw: st.DrawFn) -> Case:
    """Ids, some of them twice, and a table."""
    rows, width = draw(st.tuples(st.integers(1, 4), st.integers(0, 3)))
    rng = draw(generators)
    ids = np.array(rng.integers(0, rows, draw(st.sampled_from(BATCHES))))
    kind = draw(st.sampled_from(["i8", "i4", "u1", ">i2"]))
    return Case((ids.astype(kind), *real(rng, [(rows, width)])), {})


@st.composite
def indexed(draw: st.DrawFn) -> Case:
    """An array and an index: slices and numbers, integers, booleans, or a mixture."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    rng, n = draw(generators), shape[0]
    some = rng.integers(-n, n, draw(st.sampled_from([(0,), (5,), (2, 3)])))
    mask = rng.random(n) < 0.5
    kinds: list[Any] = [
        draw(hnp.basic_indices(shape, allow_newaxis=True)),
        some,
        some.tolist(),
        mask,
        rng.random(shape) < 0.5,
        (..., rng.integers(0, shape[-1], 4)),
        (None, mask),
    ]
    if len(shape) > 1:
        kinds += [
            (some, slice(None, None, -1)),
            (some, rng.integers(0, shape[1], some.shape)),
            (some, np.int64(-1)),
            (slice(1, None), [0, -1, 0]),
            (mask, slice(0, 1)),
        ]
    return Case(real(rng, [shape]), {"index": draw(st.sampled_from(kinds))})


# -- shapes of operations on shapes ----------------------------------------------------------------


def moved(make: Callable[..., st.SearchStrategy[dict[str, Any]]]) -> st.SearchStrategy[Case]:
    """One array, and settings that `make` draws for its shape."""

    @st.composite
    def cases(draw: st.DrawFn) -> Case:
        shape = draw(shapes_of_any_kind)
        return Case(real(draw(generators), [shape]), draw(make(shape)))

    return cases()


def reshapes(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    size = math.prod(shape)
    wanted: list[Any] = [size, shape[::-1], (1, *shape), (size, 1)]
    return st.sampled_from(wanted + ([-1, (-1, 1)] if size else [])).map(lambda s: {"shape": s})


def permutations(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    n = len(shape)
    orders = [order for axes in itertools.permutations(range(n)) for order in (axes, axes[::-1])]
    negative = [tuple(i - n for i in order) for order in orders]
    return st.sampled_from([None, *orders, *negative]).map(lambda axes: {"axes": axes})


def new_axes(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    n = len(shape)
    return st.sampled_from([0, -1, n, (0, n + 1), (-1, 0)]).map(lambda axis: {"axis": axis})


def repetitions(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    wide = tuple([3 if n == 1 else n for n in shape])
    return st.sampled_from([shape, wide, (2, *wide), (0, *shape)]).map(lambda s: {"shape": s})


@st.composite
def swaps(draw: st.DrawFn) -> Case:
    case = draw(along_axis())
    n = case.arrays[0].ndim
    return Case(
        case.arrays, {"axis1": case.settings["axis"], "axis2": draw(st.integers(-n, n - 1))}
    )


@st.composite
def squeezes(draw: st.DrawFn) -> Case:
    shape = draw(st.sampled_from([(1,), (1, 3), (2, 1, 1), (1, 0, 1), (1, 2, 1)]))
    ones = [i for i, n in enumerate(shape) if n == 1]
    axis = draw(st.sampled_from([None, ones[0], ones[-1] - len(shape), tuple(ones)]))
    return Case(real(draw(generators), [shape]), {"axis": axis})


@st.composite
def joined(draw: st.DrawFn, *, alike: bool) -> Case:
    """One to three arrays to join, of one shape or `alike` except along the axis."""
    shape = draw(hnp.array_shapes(min_dims=1 - alike, max_dims=3, min_side=0, max_side=3))
    axis = draw(st.integers(-len(shape) - alike, len(shape) - 1 + alike))
    shapes = [shape] * draw(st.integers(1, 3))
    if not alike and draw(st.booleans()):
        lengths = [draw(st.integers(0, 3)) for _ in shapes]
        before, after = shape[: axis % len(shape)], shape[axis % len(shape) + 1 :]
        shapes = [(*before, length, *after) for length in lengths]
    return Case(real(draw(generators), shapes), {"axis": axis})


@st.composite
def splits(draw: st.DrawFn) -> Case:
    """Equal parts, or cuts at positions; and the part to compare."""
    case = draw(along_axis())
    length = case.arrays[0].shape[case.settings["axis"]]
    parts: list[int | list[int]] = [n for n in range(1, 5) if length % n == 0]
    cuts = draw(st.lists(st.integers(0, length), min_size=1, max_size=3).map(sorted))
    sections = draw(st.sampled_from([*parts, cuts]))
    count = sections if isinstance(sections, int) else len(sections) + 1
    part = draw(st.integers(0, count - 1))
    return Case(case.arrays, case.settings | {"sections": sections, "part": part})
