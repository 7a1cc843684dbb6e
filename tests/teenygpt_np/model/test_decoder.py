"""The decoder, position by position, against the blocks on the whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from teenygpt_np.model.layers import TransformerBlock

B, H, T, D = 3, 2, 40, 6


def blocks(dtype: Any) -> list[TransformerBlock]:
    """Three of them, every parameter at random: biases and norms too."""
    rng = np.random.default_rng(1)
    made = [TransformerBlock(D, 4, H, rng=rng, dtype=dtype) for _ in range(3)]
    for block in made:
        for param in block.parameters():
            param.data = param.data + rng.normal(0, 0.1, param.shape)
    return made


def decoder(made: list[TransformerBlock], **settings: Any) -> mg.Decoder:
    arrays = [[param.data for param in block.parameters()] for block in made]
    return mg.Decoder(arrays, **{"num_heads": H, "batch_size": B, "num_positions": T, **settings})


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_a_position_at_a_time_equals_all_at_once(dtype: Any, tolerance: float) -> None:
    made = blocks(dtype)
    x = np.random.default_rng(2).standard_normal((B, T, D)).astype(dtype)
    steps = decoder(made)
    ours = np.stack([steps.step(x[:, t]) for t in range(T)], axis=1)
    whole = mg.Tensor(x)
    for block in made:
        whole = block(whole)
    assert ours.dtype == dtype
    # Numbers of about 1, through products and norms of other shapes.
    np.testing.assert_allclose(ours, whole.data, rtol=0, atol=tolerance)


def test_weights_are_copied() -> None:
    made, x = blocks(np.float32), np.ones((B, D), np.float32)
    steps, before = decoder(made), decoder(made).step(x)
    for param in made[0].parameters():
        param.data = param.data + 1
    np.testing.assert_array_equal(steps.step(x), before)


def test_refused() -> None:
    made, x = blocks(np.float32), np.ones((B, D), np.float32)
    with pytest.raises(ValueError, match="batch_size is 0, wanted at least 1"):
        decoder(made, batch_size=0)
    short = decoder(made, num_positions=1)
    for wrong in (x[:1], np.ones((B + 1, D)), x[:, 1:], x[0]):
        with pytest.raises(ValueError, match=r"x has shape .*, wanted \(3, 6\)"):
            short.step(wrong)
    short.step(x)
    with pytest.raises(ValueError, match="all 1 positions are used up"):
        short.step(x)
    with pytest.raises(ValueError, match="4 heads, wanted"):
        decoder(made, num_heads=4)
    arrays = [param.data for param in made[0].parameters()]
    for i in range(len(arrays)):
        cut = [array[1:] if i == k else array for k, array in enumerate(arrays)]
        with pytest.raises(ValueError, match=r"blocks of .*, wanted"):
            mg.Decoder([cut], H, B, T)


@pytest.mark.usefixtures("backend")
def test_all_is_of_the_first_arrays_dtype() -> None:
    made, x = blocks(np.float32), np.ones((B, D), np.float32)
    wanted = decoder(made).step(x)
    arrays = [[param.data for param in block.parameters()] for block in made]
    for dtype in ("f4", ">f4"):  # in any byte order
        mixed = [[a.astype(dtype), *[array.astype(float) for array in rest]] for a, *rest in arrays]
        ours = mg.Decoder(mixed, H, B, T).step(np.ones((B, D), int))
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, wanted)
