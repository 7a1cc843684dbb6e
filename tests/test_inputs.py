"""Arrays as they come: a gradient does not depend on how its inputs lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import Array, generators
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import EXACT, ROWS, Row, leaves_of
from test_ops import assert_close, gradients_of

from minigrad import Tensor

pytestmark = pytest.mark.usefixtures("backend")


def unaligned(array: Array) -> Array:
    raw = np.frombuffer(bytearray(array.nbytes + 1), np.uint8, offset=1)
    shifted = raw.view(array.dtype).reshape(array.shape)
    shifted[...] = array
    return shifted


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "Fortran": lambda array: np.array(array, order="F"),
    "transposed": lambda array: array.T.copy().T,
    "reversed": lambda array: np.flip(np.flip(array).copy()),
    "every other": lambda array: np.stack([array, array], axis=-1)[..., 0],
    "read-only": read_only,
    "unaligned": unaligned,
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
}
layouts = st.sampled_from(sorted(LAYOUTS)).map(LAYOUTS.__getitem__)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_any_layout(row: Row, data: st.DataObject) -> None:
    """Of what a Tensor is made of, of operands that are plain arrays, and of the cotangent."""
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs: list[Any] = [data.draw(layouts)(array) for array in case.arrays]
    variables = row.variables(case)
    made = data.draw(st.lists(st.sampled_from(variables), min_size=1, unique=True))
    for i in made:
        inputs[i] = Tensor(inputs[i], requires_grad=True)
    plain = leaves_of(row, case)
    y, want = row(*inputs, **case.settings), row(*plain, **case.settings)
    assert y.dtype == np.float64
    assert_close(y.data, want.data, EXACT, "value")
    cotangent = rng.standard_normal(y.shape)
    y.backward(data.draw(layouts)(cotangent))
    want.backward(cotangent)
    for ours, wanted in zip(
        gradients_of(inputs), gradients_of([plain[i] for i in sorted(made)]), strict=True
    ):
        assert wanted is not None
        assert_close(ours, wanted, EXACT, "gradient")
