"""docs/operations.md is what tests/long/operations.py makes of the docstrings, and is true."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cases import Array, Case
from hypothesis import given
from operations import PAGE, page, words
from registry import EXACT, ROWS, Row, leaves_of

from minigrad import Tensor, ops
from minigrad.tape import Node

FIGURES = re.compile(r"\| (-|0|\de-\d\d) \| (-|0|\de-\d\d) \|$", re.MULTILINE)


def test_the_page_is_fresh() -> None:
    """All is compared, except measured errors, which differ between machines: they are bounded."""
    written, anew = PAGE.read_text(encoding="utf-8"), page(examples=10)
    assert FIGURES.sub("", written) == FIGURES.sub("", anew), "python tests/long/operations.py"
    errors = [float(error) for pair in FIGURES.findall(written) for error in pair]
    assert len(errors) == 4 * len(ROWS)
    assert max(errors) <= EXACT
    assert all(e == "-" or float(e) <= EXACT for pair in FIGURES.findall(anew) for e in pair)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_inputs_and_result_are_kept_as_said(row: Row) -> None:
    operation = getattr(ops, row.name)
    equation, _, kept = words(operation)
    names = list(inspect.signature(operation).parameters)
    seen, found = set(), set()

    @given(row.cases)
    def look(case: Case) -> None:
        inputs = leaves_of(row, case)
        y = row(*inputs, **case.settings)
        tensors = [(re.findall(r"\w+", equation)[0], y)]
        tensors += [(names[i], inputs[i]) for i in row.variables(case) if i < len(names)]
        for name, tensor in tensors:
            seen.add(name)
            if any(np.may_share_memory(tensor.data, array) for array in arrays_behind(y)):
                found.add(name)

    look()
    assert found == seen & set(re.findall(r"\w+", kept))


def arrays_behind(y: Tensor) -> Iterator[Array]:
    """The arrays that the graph keeps for backward."""
    nodes = [y._node]
    for node in nodes:
        if isinstance(node, Node):
            nodes += node.parents  # type: ignore[arg-type]
            yield from arrays_in(node.vjp)


def arrays_in(held: Any) -> Iterator[Array]:
    if isinstance(held, np.ndarray):
        yield held
    elif inspect.isfunction(held):
        for cell in held.__closure__ or ():
            yield from arrays_in(cell.cell_contents)
    elif isinstance(held, tuple | list):
        for part in held:
            yield from arrays_in(part)
