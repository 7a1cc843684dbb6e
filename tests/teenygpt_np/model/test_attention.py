"""Attention's own: its cache, and the compiled way through whole blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Tensor
from teenygpt_np.model.block import Block
from teenygpt_np.model.layers import GELU, MLP, Linear, Sequential
from teenygpt_np.model.mixers.attention import CausalSelfAttention, KeysAndValues

needs_numba = pytest.mark.skipif(
    "numba" not in mg.available_backends(), reason="numba is not installed"
)


def blocks(count: int, width: int, heads: int, hidden: int, dtype: Any) -> list[Block]:
    """Each with every parameter at random, norms and biases too."""
    rng = np.random.default_rng(1)
    made = [
        Block(
            CausalSelfAttention(width, heads, rng=rng, dtype=dtype),
            MLP(width, hidden, rng=rng, dtype=dtype),
            width,
            dtype=dtype,
        )
        for _ in range(count)
    ]
    for block in made:
        for parameter in block.parameters():
            parameter.data = parameter.data + rng.normal(0, 0.1, parameter.shape)
    return made


def step_of(made: list[Block], batch: int, positions: int) -> Any:
    before = mg.get_backend()
    mg.set_backend("numba")
    try:
        return made[0].mixer_module.fused_step(made, batch, positions)
    finally:
        mg.set_backend(before)


@needs_numba
@pytest.mark.usefixtures("same_thread_count")
@pytest.mark.parametrize(("dtype", "rounding"), [(np.float32, 2e-5), (np.float64, 1e-12)])
@given(
    count=st.integers(1, 3),
    batch=st.sampled_from([1, 2, 5, 40]),
    heads=st.integers(1, 3),
    head_width=st.integers(1, 17),
    hidden=st.sampled_from([1, 7, 255, 256, 257, 520]),
    positions=st.integers(1, 40),
    threads=st.integers(1, 4),
)
@settings(max_examples=30)
def test_one_kernel_is_all_blocks_on_all_positions(
    dtype: Any,
    rounding: float,
    count: int,
    batch: int,
    heads: int,
    head_width: int,
    hidden: int,
    positions: int,
    threads: int,
) -> None:
    """Outputs of norms, of about 1, after sums of a few hundred terms in another order."""
    mg.set_num_threads(threads)
    width = heads * head_width
    made = blocks(count, width, heads, hidden, dtype)
    x = np.random.default_rng(2).standard_normal((batch, positions, width)).astype(dtype)
    step = step_of(made, batch, positions)
    ours = np.stack([step(x[:, t]) for t in range(positions)], axis=1)
    whole = Tensor(x)
    for block in made:
        whole = block(whole)
    assert ours.dtype == dtype
    # A norm of one or two entries makes rounding as large as its eps lets it: 1 / sqrt(1e-5).
    allowed = rounding * (300 if width < 4 else 1) * np.abs(whole.data).max()
    np.testing.assert_allclose(ours, whole.data, rtol=0, atol=allowed)


@needs_numba
def test_its_weights_are_copied() -> None:
    made, x = blocks(2, 6, 2, 8, np.float32), np.ones((3, 6), np.float32)
    step, before = step_of(made, 3, 4), step_of(made, 3, 4)(x)
    for parameter in made[0].parameters():
        parameter.data = parameter.data + 1
    np.testing.assert_array_equal(step(x), before)


@needs_numba
def test_there_is_none_for_blocks_of_other_parts() -> None:
    made = blocks(2, 6, 2, 8, np.float32)
    assert step_of(made, 1, 1)
    assert step_of([made[0], blocks(1, 6, 3, 8, np.float32)[0]], 1, 1) is None
    made[1].layer_norm2.eps = 1e-3
    assert step_of(made, 1, 1) is None
    rng = np.random.default_rng(0)
    other = blocks(1, 6, 2, 8, np.float32)
    other[0].mlp = Sequential(Linear(6, 8, rng=rng), GELU(), Linear(8, 6, rng=rng))
    assert step_of(other, 1, 1) is None


def test_without_numba_the_modules_do_it() -> None:
    before = mg.get_backend()
    mg.set_backend("numpy")
    try:
        made = blocks(1, 6, 2, 8, np.float32)
        assert made[0].mixer_module.fused_step(made, 1, 1) is None
    finally:
        mg.set_backend(before)


@given(parts=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_cache_holds_all_that_came(parts: list[int]) -> None:
    rng, cache = np.random.default_rng(3), KeysAndValues(2, 3, 4, np.float64)
    came = [rng.standard_normal((2, 2, 3, length, 4)) for length in parts]
    for i, (k, v) in enumerate(came):
        want = np.concatenate(came[: i + 1], axis=3)
        np.testing.assert_array_equal(cache.extended(k, v), want)
