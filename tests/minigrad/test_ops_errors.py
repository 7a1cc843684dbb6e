"""Wrong shapes, ids, indices and settings are refused before a kernel sees them, and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor

pytestmark = pytest.mark.usefixtures("backend")


def zeros(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape), requires_grad=True)


class Wrong(NamedTuple):
    """A call that is refused, with the error and its message."""

    call: Callable[[], Any]
    error: type[Exception]
    message: str


rng = np.random.default_rng(0)
scores, weight = zeros(2, 3), zeros(3, 4)

# Our messages are compared whole. NumPy's own must name what is wrong.
WRONG = [
    # shapes
    Wrong(lambda: zeros(2, 3) + zeros(4), ValueError, "(2,3) (4,)"),
    Wrong(lambda: mg.where([True, False], zeros(3), 0), ValueError, "(2,) (3,)"),
    Wrong(lambda: zeros(2, 3).reshape(4, 2), ValueError, "size 6 into shape (4,2)"),
    Wrong(
        lambda: zeros(2, 3).broadcast_to((2, 2)),
        ValueError,
        "broadcast_to of (2, 3): can't be repeated to (2, 2)",
    ),
    Wrong(lambda: mg.concatenate([zeros(2, 3), zeros(2)]), ValueError, "dimension"),
    Wrong(
        lambda: mg.concatenate([]), ValueError, "concatenate needs at least one tensor, got none"
    ),
    Wrong(
        lambda: mg.concatenate([zeros(2), zeros()]),
        ValueError,
        "concatenate needs at least one axis each, got shapes (2,), ()",
    ),
    Wrong(lambda: mg.stack([]), ValueError, "needs at least one tensor, got none"),
    Wrong(lambda: mg.stack([zeros(2), zeros(3)]), ValueError, "array"),
    Wrong(
        lambda: zeros() @ zeros(2),
        ValueError,
        "matmul needs at least one axis each, got shapes (), (2,)",
    ),
    Wrong(
        lambda: zeros(2, 3) @ zeros(2, 3),
        ValueError,
        "matmul of (2, 3) and (2, 3): 3 columns meet 2 rows",
    ),
    Wrong(
        lambda: zeros(4, 2, 3) @ zeros(5, 3, 2),
        ValueError,
        "matmul of (4, 2, 3) and (5, 3, 2): the batches differ",
    ),
    Wrong(
        lambda: mg.linear(zeros(2, 3), zeros(4, 2), zeros(4)),
        ValueError,
        "linear of x (2, 3), weight (4, 2), bias (4,): wanted (..., I), (O, I), (O)",
    ),
    Wrong(
        lambda: mg.linear(zeros(2, 3), zeros(4, 3), zeros(3)),
        ValueError,
        "linear of x (2, 3), weight (4, 3), bias (3,): wanted (..., I), (O, I), (O)",
    ),
    Wrong(
        lambda: mg.layer_norm(zeros(2, 3), zeros(2), zeros(3)),
        ValueError,
        "layer_norm of x (2, 3), weight (2,), bias (3,): wanted (..., D), (D), (D), or",
    ),
    Wrong(
        lambda: mg.layer_norm(zeros(), zeros(), zeros()),
        ValueError,
        "layer_norm of x (), weight (), bias (): wanted (..., D), (D), (D), or",
    ),
    Wrong(
        lambda: mg.layer_norm(zeros(4, 3), zeros(2, 3), zeros(2, 3)),
        ValueError,
        "layer_norm of x (4, 3), weight (2, 3), bias (2, 3): wanted (..., D), (D), (D), "
        "or (..., G, D), (G, D), (G, D), D and G at least 1",
    ),
    Wrong(
        lambda: mg.layer_norm(zeros(2, 0, 3), zeros(0, 3), zeros(0, 3)),
        ValueError,
        "layer_norm of x (2, 0, 3), weight (0, 3), bias (0, 3): wanted",
    ),
    *[
        Wrong(partial(mg.glu, zeros(*x)), ValueError, f"glu of x {x}: wanted (..., 2D)")
        for x in ((), (2, 3))
    ],
    *[
        Wrong(
            partial(mg.token_shift, zeros(2, 3, 4), zeros(*mix)),
            ValueError,
            f"token_shift of x (2, 3, 4), mix {mix}: wanted (B, T, D), and this or 1 for each",
        )
        for mix in ((4,), (2, 2, 4), (1, 1, 1, 4))
    ],
    Wrong(
        lambda: mg.token_shift(zeros(2, 3, 4), zeros(2, 3, 4), before=np.zeros((2, 4))),
        ValueError,
        "token_shift has a token before of (2, 4), wanted (2, 1, 4)",
    ),
    Wrong(
        lambda: mg.mlp(zeros(2, 3), zeros(4, 3), zeros(4), zeros(3, 5), zeros(3)),
        ValueError,
        "mlp of x (2, 3), w1 (4, 3), b1 (4,), w2 (3, 5), b2 (3,): "
        "wanted (..., D), (H, D), (H), (E, H), (E)",
    ),
    Wrong(
        lambda: mg.causal_attention(zeros(2, 3, 4), zeros(2, 3, 4), zeros(2, 3, 4)),
        ValueError,
        "causal_attention of q (2, 3, 4), k (2, 3, 4), v (2, 3, 4): "
        "wanted (B, H, T, d), (B, H, S, d), (B, H, S, d)",
    ),
    Wrong(
        lambda: mg.causal_attention(zeros(1, 1, 2, 4), zeros(1, 1, 2, 3), zeros(1, 1, 2, 3)),
        ValueError,
        "wanted (B, H, T, d), (B, H, S, d), (B, H, S, d)",
    ),
    Wrong(
        lambda: mg.causal_attention(zeros(1, 1, 3, 2), zeros(1, 1, 2, 2), zeros(1, 1, 2, 2)),
        ValueError,
        "causal_attention has 3 queries for 2 keys",
    ),
    Wrong(
        lambda: mg.attention(zeros(1, 1, 3, 2), zeros(1, 2, 3, 2), zeros(1, 2, 3, 2)),
        ValueError,
        "attention of q (1, 1, 3, 2), k (1, 2, 3, 2), v (1, 2, 3, 2): "
        "wanted (B, H, T, d), (B, H, S, d), (B, H, S, d), d at least 1",
    ),
    Wrong(
        lambda: mg.attention(zeros(1, 1, 3, 2), *[zeros(1, 1, 2, 2)] * 2, causal=True),
        ValueError,
        "attention has 3 queries for 2 keys",
    ),
    Wrong(
        lambda: mg.attention(zeros(1, 1, 3, 2), *[zeros(1, 1, 0, 2)] * 2),
        ValueError,
        "attention has 3 queries for 0 keys",
    ),
    *[
        Wrong(
            partial(mg.attention, *[zeros(2, 1, 4, 2)] * 3, lengths=lengths),
            error,
            message,
        )
        for lengths, error, message in (
            ([1.0, 2.0], TypeError, "attention has lengths of float64, wanted integers"),
            ([True, True], TypeError, "attention has lengths of bool, wanted integers"),
            (3, ValueError, "attention has lengths (), wanted (2,)"),
            ([3, 3, 3], ValueError, "attention has lengths (3,), wanted (2,)"),
            ([4, 0], ValueError, "length 0 at [1] is outside 1..4"),
            ([5, 4], ValueError, "length 5 at [0] is outside 1..4"),
            (np.array([1, 2**64 - 1], np.uint64), ValueError, f"length {2**64 - 1} at [1] is"),
        )
    ],
    Wrong(
        lambda: mg.rotary(zeros(2, 3), 0.0),
        ValueError,
        "rotary of x (2, 3): wanted a last axis of even length",
    ),
    Wrong(
        lambda: mg.rotary(zeros(2, 4), 1j),
        TypeError,
        "rotary has angles of complex128, wanted numbers",
    ),
    Wrong(
        lambda: mg.rotary(zeros(2, 4), np.ones((3, 3))),
        ValueError,
        "rotary of x (2, 4) by angles (3, 3): wanted what broadcasts to (2, 2)",
    ),
    Wrong(
        lambda: mg.decayed_attention(*[zeros(1, 2, 5, 4)] * 3, u=zeros(2, 4)),
        TypeError,
        "decayed_attention() missing 1 required argument: 'g'",
    ),
    Wrong(
        lambda: mg.rotary(zeros(2, 6), np.zeros((3, 2, 3))),
        ValueError,
        "rotary of x (2, 6) by angles (3, 2, 3): wanted what broadcasts to (2, 3)",
    ),
    *[
        Wrong(
            partial(mg.decayed_attention, *[zeros(*shape) for shape in wrong]),
            ValueError,
            f"decayed_attention of q {wrong[0]}, k {wrong[1]}, v {wrong[2]}, g {wrong[3]}: "
            "wanted (B, H, T, d), (B, H, T, d), (B, H, T, e), and what broadcasts to q",
        )
        for wrong in (
            ((3, 2), (3, 2), (3, 2), ()),
            ((1, 1, 3, 2), (1, 1, 2, 2), (1, 1, 3, 2), ()),
            ((1, 1, 3, 2), (1, 1, 3, 2), (1, 1, 2, 2), ()),
            ((1, 1, 3, 2), (1, 1, 3, 2), (1, 1, 3, 2), (3,)),
            ((1, 1, 3, 2), (1, 1, 3, 2), (1, 1, 3, 2), (1, 1, 1, 3, 2)),
        )
    ],
    Wrong(
        lambda: mg.decayed_attention(*[zeros(1, 3, 4, 2)] * 3, 0, zeros(2)),
        ValueError,
        "v (1, 3, 4, 2), g (), u (2,): wanted (B, H, T, d), (B, H, T, d), (B, H, T, e), and what "
        "broadcasts to q, (H, d)",
    ),
    Wrong(
        lambda: mg.decayed_attention(*[zeros(1, 1, 3, 2)] * 3, 0, state=np.zeros((1, 1, 2))),
        ValueError,
        "decayed_attention has a state (1, 1, 2), wanted (1, 1, 2, 2)",
    ),
    *[
        Wrong(
            partial(mg.decayed_attention, *[zeros(1, 1, 3, 2)] * 3, 0, state=state),
            error,
            f"decayed_attention has a state {message}",
        )
        for state, error, message in (
            (np.zeros((1, 1, 2, 2), int), TypeError, "of int64, wanted an array of floats"),
            ([0.0], TypeError, "of list, wanted an array of floats"),
            (np.broadcast_to(0.0, (1, 1, 2, 2)), ValueError, "that is read-only, wanted one that"),
        )
    ],
    Wrong(
        lambda: mg.rnn(zeros(2, 3, 4), zeros(5, 4), zeros(5, 4), zeros(5), zeros(5)),
        ValueError,
        "rnn of x (2, 3, 4), w_ih (5, 4), w_hh (5, 4), b_ih (5,), b_hh (5,): "
        "wanted (B, T, I), (D, I), (D, D), (D), (D), T at least 1",
    ),
    Wrong(
        lambda: mg.gru(zeros(2, 3, 4), zeros(5, 4), zeros(5, 5), zeros(5), zeros(5)),
        ValueError,
        "wanted (B, T, I), (3D, I), (3D, D), (3D), (3D)",
    ),
    *[
        Wrong(
            partial(operation, zeros(2, 3, 4), zeros(5, 4), zeros(*w_hh), zeros(5), zeros(5)),
            ValueError,
            f"{operation.__name__} of x (2, 3, 4), w_ih (5, 4), w_hh {w_hh}, b_ih (5,), ",
        )
        for operation in (mg.rnn, mg.gru)
        for w_hh in ((), (5,))
    ],
    Wrong(
        lambda: mg.rnn(
            *(zeros(2, 3, 4), zeros(5, 4), zeros(5, 5), zeros(5), zeros(5)), state=np.zeros(5)
        ),
        ValueError,
        "rnn has a state (5,), wanted (2, 5)",
    ),
    *[
        Wrong(
            partial(mg.causal_convolution, zeros(2, length, 4), zeros(*weight), zeros(5)),
            ValueError,
            f"causal_convolution of x {(2, length, 4)}, weight {weight}, bias (5,): "
            "wanted (B, T, I), (O, I, K) or (I, 1, K), (O), all but B at least 1",
        )
        for length, weight in (
            (3, (5, 1, 2)),
            (3, (5, 4)),
            (0, (5, 4, 2)),
            (3, (5, 4, 0)),
            (3, (0, 4, 2)),
        )
    ],
    *[
        Wrong(
            partial(mg.causal_convolution, zeros(*x), zeros(5, 4, 2), zeros(5)),
            ValueError,
            f"causal_convolution of x {x}, weight (5, 4, 2), bias (5,): "
            "wanted (B, T, I), (O, I, K) or (I, 1, K), (O), all but B at least 1",
        )
        for x in ((), (4,))
    ],
    Wrong(
        lambda: mg.causal_convolution(
            zeros(2, 3, 4), zeros(5, 4, 2), zeros(5), state=np.zeros((2, 2, 4))
        ),
        ValueError,
        "causal_convolution has a state (2, 2, 4), wanted (2, 1, 4)",
    ),
    Wrong(
        lambda: mg.fft_convolution(zeros(2, 3, 4), zeros(3, 4)),
        ValueError,
        "fft_convolution of x (2, 3, 4), kernel (3, 4): wanted (B, T, D), (D, T), T at least 1",
    ),
    *[
        Wrong(
            partial(
                mg.selective_scan,
                *[zeros(2, 3, 4), zeros(2, 3, 4), zeros(*A), zeros(2, 3, 5), zeros(2, 3, 5)],
                zeros(4),
                state=np.zeros((2, 5, 4)),
            ),
            ValueError,
            message,
        )
        for A, message in (
            ((4, 5), "selective_scan has a state (2, 5, 4), wanted (2, 4, 5)"),
            (
                (5, 4),
                "selective_scan of u (2, 3, 4), dt (2, 3, 4), A (5, 4), B (2, 3, 5), "
                "C (2, 3, 5), D (4,): "
                "wanted (B, T, E), (B, T, E), (E, N), (B, T, N), (B, T, N), (E)",
            ),
        )
    ],
    *[
        Wrong(
            partial(mg.selective_scan, *[zeros(*shape) for shape in (u, u, A, B, B, D)]),
            ValueError,
            f"selective_scan of u {u}, dt {u}, A {A}, B {B}, C {B}, D {D}: "
            "wanted (B, T, E), (B, T, E), (E, N), (B, T, N), (B, T, N), (E)",
        )
        for u, A, B, D in (
            ((), (4, 5), (2, 3, 5), (4,)),
            ((4,), (4, 5), (2, 3, 5), (4,)),
            ((2, 3, 4), (), (2, 3, 5), (4,)),
            ((2, 3, 4), (4,), (2, 3), (4,)),
        )
    ],
    Wrong(
        lambda: mg.cross_entropy(scores, [0, 1, 2]),
        ValueError,
        "scores (2, 3), targets (3,): wanted (..., C), (...)",
    ),
    Wrong(
        lambda: mg.nll_loss(zeros(), 0), ValueError, "scores (), targets (): wanted (..., C), (...)"
    ),
    Wrong(
        lambda: mg.embedding([0], zeros(3)),
        ValueError,
        "embedding weight has shape (3,), wanted (V, D), V at least 1",
    ),
    # axes
    Wrong(lambda: zeros(2, 3).sum(axis=2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros(2, 3).mean(axis=2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros(2, 3).var(axis=-3), IndexError, "axis -3 is out of bounds"),
    Wrong(lambda: zeros(2, 3).max(axis=2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros(2, 3).logsumexp(axis=2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros(2, 3).sum(axis=(0, 0)), ValueError, "duplicate value in 'axis'"),
    Wrong(
        lambda: zeros(0, 3).max(axis=0),
        ValueError,
        "max of (0, 3) along axis 0: there is no entry",
    ),
    Wrong(lambda: zeros(0).min(), ValueError, "min of (0,) along axis None: there is no entry"),
    Wrong(lambda: zeros(2, 3).softmax(axis=2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros().log_softmax(), IndexError, "axis -1 is out of bounds"),
    Wrong(lambda: zeros(2, 3).transpose(0, 0), ValueError, "repeated axis"),
    Wrong(lambda: zeros(2, 3).transpose(0, 1, 2), ValueError, "axes"),
    Wrong(lambda: zeros(2, 3).swapaxes(0, 2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros(2, 3).squeeze(0), ValueError, "not equal to one"),
    Wrong(lambda: zeros(2, 3).expand_dims(5), IndexError, "axis 5 is out of bounds"),
    Wrong(lambda: mg.concatenate([zeros(2)], 1), IndexError, "axis 1 is out of bounds"),
    Wrong(lambda: mg.stack([zeros(2)], 2), IndexError, "axis 2 is out of bounds"),
    Wrong(lambda: zeros(2).split(2, 1), IndexError, "axis 1 is out of bounds"),
    Wrong(lambda: zeros(3).split(2), ValueError, "an axis of length 3 has no 2 equal parts"),
    Wrong(lambda: zeros(3).split(0), ValueError, "an axis of length 3 has no 0 equal parts"),
    # ids and targets
    Wrong(
        lambda: mg.embedding([[0, 1], [3, 9]], weight), IndexError, "id 3 at [1, 0] is outside 0..2"
    ),
    Wrong(lambda: mg.embedding([0, -1], weight), IndexError, "id -1 at [1] is outside 0..2"),
    Wrong(lambda: mg.embedding(7, weight), IndexError, "id 7 at [] is outside 0..2"),
    Wrong(
        lambda: mg.embedding([0], zeros(0, 3)),
        ValueError,
        "embedding weight has shape (0, 3), wanted (V, D), V at least 1",
    ),
    Wrong(lambda: mg.embedding([0.0], weight), TypeError, "ids are integers, got float64"),
    Wrong(lambda: mg.embedding(Tensor([0]), weight), TypeError, "ids are integers, got float32"),
    Wrong(lambda: mg.embedding([True], weight), TypeError, "ids are integers, got bool"),
    Wrong(lambda: mg.embedding(["0"], weight), TypeError, "ids are integers, got <U1"),
    Wrong(lambda: mg.embedding([None], weight), TypeError, "ids are integers, got object"),
    Wrong(lambda: mg.cross_entropy(scores, [0, 3]), IndexError, "target 3 at [1] is outside 0..2"),
    Wrong(
        lambda: mg.cross_entropy(scores, [-1, 0]), IndexError, "target -1 at [0] is outside 0..2"
    ),
    Wrong(
        lambda: mg.cross_entropy(scores, [0.0, 1.0]), TypeError, "targets are integers, got float64"
    ),
    Wrong(
        lambda: mg.cross_entropy(scores, [True, False]), TypeError, "targets are integers, got bool"
    ),
    Wrong(lambda: mg.nll_loss(scores, [0, 3]), IndexError, "target 3 at [1] is outside 0..2"),
    Wrong(
        lambda: mg.embedding(np.array([2**64 - 1], np.uint64), weight),
        IndexError,
        "id 18446744073709551615 at [0] is outside 0..2",
    ),
    # indices
    Wrong(lambda: zeros(2)[2], IndexError, "index 2 is out of bounds for axis 0 with size 2"),
    Wrong(
        lambda: zeros(2)[[0, -3]], IndexError, "index -3 is out of bounds for axis 0 with size 2"
    ),
    Wrong(lambda: zeros(2)[0, 0], IndexError, "too many indices"),
    Wrong(lambda: zeros(2)[[True]], IndexError, "boolean index did not match"),
    Wrong(lambda: zeros(2)[[0.5]], IndexError, "must be of integer (or boolean) type"),
    Wrong(
        lambda: zeros(2)[1.5],
        IndexError,
        "an index is made of integers or booleans, got 1.5",
    ),
    Wrong(
        lambda: zeros(2)["a"],
        IndexError,
        "an index is made of integers or booleans, got 'a'",
    ),
    Wrong(
        lambda: zeros(2)[Tensor([0.0])],
        IndexError,
        "an index is made of integers or booleans, got a Tensor of floats",
    ),
    # settings
    Wrong(
        lambda: mg.gelu(zeros(2), "fast"),
        ValueError,
        "approximate is 'fast', wanted 'none' or 'tanh'",
    ),
    Wrong(
        lambda: mg.cross_entropy(scores, [0, 1], reduction="max"),
        ValueError,
        "reduction is 'max', wanted 'none', 'sum' or 'mean'",
    ),
    Wrong(
        lambda: mg.nll_loss(scores, [0, 1], reduction=None),
        ValueError,
        "reduction is None, wanted 'none', 'sum' or 'mean'",
    ),
    Wrong(lambda: mg.clip(zeros(2)), ValueError, "clip needs low, high or both"),
    Wrong(
        lambda: mg.dropout(zeros(2), 1.5, rng=rng),
        ValueError,
        "dropout probability is 1.5, wanted 0 <= p <= 1",
    ),
    Wrong(
        lambda: mg.dropout(zeros(2), float("nan"), rng=rng),
        ValueError,
        "dropout probability is nan, wanted 0 <= p <= 1",
    ),
    Wrong(lambda: mg.dropout(zeros(2), 0.5), TypeError, "rng"),
    Wrong(lambda: mg.linear(zeros(2, 3), zeros(4, 3)), TypeError, "bias"),
    Wrong(lambda: mg.linear(zeros(2, 3), bias=zeros(4)), TypeError, "missing 1 required"),
    Wrong(lambda: mg.relu(zeros(2), 3), TypeError, "argument"),
    Wrong(lambda: mg.add(zeros(2), 1j), TypeError, "a Tensor holds float32 or float64"),
    Wrong(lambda: mg.add(zeros(2), "a"), TypeError, "a Tensor holds float32 or float64, got <U1"),
    Wrong(lambda: mg.add(zeros(2), None), TypeError, "None"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.message)
def test_refused(wrong: Wrong) -> None:
    with pytest.raises(wrong.error, match=re.escape(wrong.message)):
        wrong.call()
