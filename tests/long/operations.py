"""Write docs/operations.md: every operation's equation, gradient and errors.

    python tests/long/operations.py

The words are those of the docstrings in minigrad/ops; the errors are measured.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from cases import Case, generators
from hypothesis import Phase, given, seed, settings
from registry import EXACT, ROWS, Row, compare, error

import minigrad as mg
from minigrad import ops
from minigrad.trace import formulas

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BACKENDS = ["numpy", "numba"]
# Imported by name, since minigrad.ops has an operation `attention` as well.
FAMILIES = [
    importlib.import_module(f"minigrad.ops.{name}")
    for name in (
        *("elementwise", "reduce", "shape", "linalg", "layers", "normalization", "attention"),
        *("recurrence", "scan", "convolution", "losses"),
    )
]
EXAMPLES = 200

INTRODUCTION = f"""\
# Every operation and its gradient

Backpropagation asks one thing of an operation y = f(x). A number L, the loss, has been computed
from y, and its gradient with respect to y is known: `dy`, an array of y's shape. What is `dx`, the
gradient of L with respect to x? By the chain rule

    dx[j] = sum over i of dy[i] * (derivative of y[i] with respect to x[j])

which is the vector dy times the matrix of all the derivatives, the Jacobian: a *vector-Jacobian
product*, or vjp. The matrix itself is never made. A softmax of 1,000 numbers has a million
derivatives, but its vjp, `dx = p (dp - sum(dp p))`, goes over 1,000 numbers a few times. From the
loss back to the leaves, one vjp after the other: that is all `backward()` does.

So there are three things to know of an operation: its equation, its vjp, and what the first keeps
in memory for the second. Here they are, in two rows each: the equation; then, on grey, what is kept
and the gradients. Arrays stand before the `/`, settings after it. Where inputs were broadcast, the
tape sums their gradients up again.

## The errors

In the last two columns is the worst error that {EXAMPLES} examples gave, of the value in the upper
row and of the gradients in the lower, in float64, with the NumPy and with the Numba kernels. The
examples are random, with a fixed seed: small arrays, some with axes of length 1 or 0, shapes that
broadcast, all settings, and a random `dy`. (A `dy` of ones lets much pass: the gradient of
`softmax(x).sum()` is 0, so a vjp that always gives 0 would do.) An error is the largest difference,
relative to the largest entry, or to 1 if that is more. float64 rounds at 1e-16; where it says 0
there is no difference at all. That of `layer_norm` is a rounding magnified by rstd, which for rows
of equal entries is 1 / sqrt(eps), about 300.

The gradients are compared with a *complex step*: L(x + ih) = L(x) + ih L'(x) + ..., so the
imaginary part, divided by h, is the derivative. Nothing is subtracted, so no digits are lost, and
with h = 2^-100 the terms left out are far below rounding. The step is taken through definitions in
plain NumPy, in `tests/support/registry.py`, that share no code with minigrad. At kinks and ties
there is no derivative; the examples keep away from them, and what is given there is pinned down in
`tests/minigrad/test_ops_conventions.py`.

`python tests/long/operations.py` makes this page: the words are the docstrings' in `minigrad/ops/`,
the figures are measured. `tests/minigrad/test_operations.py` fails where a word is no longer the
docstring's, where an error, here or measured anew, is more than {EXACT:.0e}, or where an operation
keeps an input or its result without saying so. The figures differ a little from processor to
processor.
"""


def page(examples: int = EXAMPLES) -> str:
    """The whole page, with errors measured on so many examples, for each installed backend."""
    rows = {row.name: row for row in ROWS}
    lines = [INTRODUCTION]
    for module in FAMILIES:
        path = f"{module.__name__.replace('.', '/')}.py"
        lines += [f"## [`{path}`](../{path})", "", str(inspect.getdoc(module)), ""]
        lines += [f"| operation | equation | {' | '.join(BACKENDS)} |", "| --- | --- | --- | --- |"]
        for name, operation in vars(module).items():
            if name in ops.__all__:
                equation, gradients, kept = words(operation)
                errors = zip(
                    *[worst_errors(rows[name], b, examples) for b in BACKENDS], strict=True
                )
                lines.append(line(signature(operation), equation, *next(errors)))
                lines.append(line(kept, gradients, *next(errors)))
        lines.append("")
    return "\n".join(lines)


def line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def signature(operation: Callable[..., Any]) -> str:
    """How the operation is called, without types."""
    whole = inspect.signature(operation)
    plain = [p.replace(annotation=p.empty) for p in whole.parameters.values()]
    return f"`{operation.__name__}{whole.replace(parameters=plain, return_annotation=whole.empty)}`"


def words(operation: Callable[..., Any]) -> tuple[str, str, str]:
    """The parts of a docstring: the equation with shapes under it, the gradients, what is kept."""
    equation, gradients, kept = formulas(operation)
    if not gradients or not kept:
        raise ValueError(f"{operation.__name__}: wanted one part with `dx = ` and one with `Keeps`")
    return equation.replace("\n", "<br>"), gradients, kept.replace("Keeps", "keeps")


def worst_errors(row: Row, backend: str, examples: int) -> tuple[str, str]:
    """The worst errors of the value and of the gradients, with one backend."""
    if backend not in mg.available_backends():
        return "-", "-"
    worst = {"value": 0.0, "gradients": 0.0}

    @seed(0)
    @settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate])
    @given(row.cases, generators)
    def measure(case: Case, rng: np.random.Generator) -> None:
        for what, ours, want in compare(row, case, rng):
            kind = "value" if what == "value" else "gradients"
            worst[kind] = np.maximum(worst[kind], error(ours, want))  # a nan stays

    before = mg.get_backend()
    mg.set_backend(backend)
    measure()
    mg.set_backend(before)
    value, gradients = [f"{x:.0e}" if x else "0" for x in worst.values()]
    return value, gradients


if __name__ == "__main__":
    if "numba" not in mg.available_backends():
        raise SystemExit("the page has a column for numba, which is not installed")
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
