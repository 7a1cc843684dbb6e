"""Masks: how many tokens, in what spans, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teenygpt_np.text.batches import Batch
from teenygpt_np.training.objectives.masking import masked_batch

PAD = END = 0
BEGIN, MASK = 8, 9  # text is 1..7


def rows(lengths: list[int]) -> Batch:
    """Rows of `begin`, text, `end` and pads, with so many tokens before the pads."""
    width = max(lengths)
    ids = np.random.default_rng(5).integers(1, 8, (len(lengths), width))
    places = np.arange(width)
    of_row = np.array(lengths)[:, None]
    ids[places >= of_row - 1] = END
    ids[:, 0] = BEGIN
    return Batch(ids, (places > 0) & (places < of_row))


@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=8),
    share=st.floats(0.01, 0.5),
    span=st.floats(1, 10),
    seed=st.integers(0, 2**32),
)
def test_only_text_is_masked_and_the_rest_stays(
    lengths: list[int], share: float, span: float, seed: int
) -> None:
    batch = rows(lengths)
    found = masked_batch(batch, END, MASK, np.random.default_rng(seed), share=share, span=span)
    text = batch.counted & (batch.ids != END)
    assert not found.masked[~text].any()
    np.testing.assert_array_equal(found.targets, batch.ids)
    np.testing.assert_array_equal(found.ids[~found.masked], batch.ids[~found.masked])
    assert set(np.unique(found.ids[found.masked])) <= {*range(1, 8), MASK}
    assert found.lengths.tolist() == lengths
    np.testing.assert_array_equal(found.counted, batch.counted)


@pytest.mark.parametrize(("share", "span"), [(0.15, 3.0), (0.3, 1.0), (0.5, 8.0)])
def test_the_share_and_the_spans_are_as_wanted(share: float, span: float) -> None:
    batch = rows([302] * 2000)
    found = masked_batch(batch, END, MASK, np.random.default_rng(0), share=share, span=span)
    inner = found.masked[:, 1:-1]
    assert inner.mean() == pytest.approx(share, rel=0.02)
    for place in (0, 150, 299):  # and so at the row's ends as in its middle
        assert inner[:, place].mean() == pytest.approx(share, rel=0.15)
    begins = inner[:, 1:] & ~inner[:, :-1]
    assert inner[:, 1:].sum() / begins.sum() == pytest.approx(span, rel=0.05)
    shown, targets = found.ids[found.masked], found.targets[found.masked]
    assert (shown == MASK).mean() == pytest.approx(0.8, rel=0.02)
    others = (shown != targets) & (shown != MASK)
    assert others.mean() == pytest.approx(0.1 * 6 / 7, rel=0.05)  # of seven, one is the same


def test_the_same_generator_gives_the_same_masks() -> None:
    first, second = (
        masked_batch(rows([30, 7]), END, MASK, np.random.default_rng(3)) for _ in range(2)
    )
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)
