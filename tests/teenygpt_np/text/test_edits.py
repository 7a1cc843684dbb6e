"""Edits, against the definition written as a recursion."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.text.edits import edits


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_as_defined(a: str, b: str) -> None:
    @cache
    def least(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        exchanged = least(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(least(i - 1, j) + 1, least(i, j - 1) + 1, exchanged)

    assert edits(a, b) == least(len(a), len(b))


@pytest.mark.parametrize(
    ("a", "b", "want"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("\U0001f600a", "a", 1),
    ],
)
def test_known(a: str, b: str, want: int) -> None:
    assert edits(a, b) == want
