"""docs/operations.md is what tests/operations.py makes of the docstrings."""

from __future__ import annotations

import re

from operations import PAGE, page
from registry import EXACT, ROWS

FIGURES = re.compile(r"\| (-|0|\de-\d\d) \| (-|0|\de-\d\d) \|$", re.MULTILINE)


def test_the_page_is_fresh() -> None:
    """Errors have other digits on another machine, so they are bounded; all else is compared."""
    written, anew = PAGE.read_text(encoding="utf-8"), page(examples=10)
    assert FIGURES.sub("", written) == FIGURES.sub("", anew), "python tests/operations.py"
    errors = [float(error) for pair in FIGURES.findall(written) for error in pair]
    assert len(errors) == 4 * len(ROWS)
    assert max(errors) <= EXACT
    assert all(e == "-" or float(e) <= EXACT for pair in FIGURES.findall(anew) for e in pair)
