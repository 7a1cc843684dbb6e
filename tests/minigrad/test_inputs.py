"""Gradients do not depend on the memory layout of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import LAYOUTS, generators, lay_out
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import EXACT, ROWS, Row, leaves_of
from test_ops import assert_close, gradients_of

from minigrad import Tensor

pytestmark = pytest.mark.usefixtures("backend")


layouts = st.sampled_from((*LAYOUTS, "other byte order"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=settings().max_examples // 4)
@given(data=st.data())
def test_any_layout(row: Row, data: st.DataObject) -> None:
    """Any layout of a Tensor's array, of operands that are plain arrays, and of the cotangent."""
    case, rng = data.draw(row.cases), data.draw(generators)
    inputs: list[Any] = [lay_out(array, data.draw(layouts)) for array in case.arrays]
    variables = row.variables(case)
    made = data.draw(st.lists(st.sampled_from(variables), min_size=1, unique=True))
    for i in made:
        inputs[i] = Tensor(inputs[i], requires_grad=True)
    plain = leaves_of(row, case)
    y, want = row(*inputs, **case.settings), row(*plain, **case.settings)
    assert y.dtype == np.float64
    assert_close(y.data, want.data, EXACT, "value")
    cotangent = rng.standard_normal(y.shape)
    y.backward(lay_out(cotangent, data.draw(layouts)))
    want.backward(cotangent)
    for ours, wanted in zip(
        gradients_of(inputs), gradients_of([plain[i] for i in sorted(made)]), strict=True
    ):
        assert wanted is not None
        assert_close(ours, wanted, EXACT, "gradient")
