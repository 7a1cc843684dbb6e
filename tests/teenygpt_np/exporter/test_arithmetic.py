"""The arithmetic that C and Python share: near the true functions, and equal in every bit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exported import SANE, compiled, has_sanitizers, needs_gcc, random_run, run_program, written
from hypothesis import given
from hypothesis import strategies as st

from minigrad import Array
from teenygpt_np.exporter.twin import arithmetic as a
from teenygpt_np.exporter.twin.matrices import Int8Matrix

F32 = np.float32
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(numbers, min_size=1, max_size=20).map(lambda x: np.array(x, F32))


def one(function: Callable[[Array], Array], x: float) -> float:
    return float(function(np.array([x], F32))[0])


@given(st.floats(-87, 88, width=32))
def test_exp(x: float) -> None:
    assert one(a.exp, x) == pytest.approx(math.exp(x), rel=2e-7)


def test_exp_far_out() -> None:
    assert one(a.exp, -87.5) == one(a.exp, -np.inf) == 0
    assert one(a.exp, 1e30) == one(a.exp, 88)


@given(st.floats(-30, 30, width=32))
def test_functions_made_of_it(x: float) -> None:
    assert one(a.tanh, x) == pytest.approx(math.tanh(x), abs=2e-7)
    assert one(a.sigmoid, x) == pytest.approx(1 / (1 + math.exp(-x)), rel=5e-7)
    assert one(a.silu, x) == pytest.approx(x / (1 + math.exp(-x)), rel=5e-7)
    assert one(a.softplus, x) == pytest.approx(math.log1p(math.exp(x)), rel=5e-7)
    assert one(a.gelu, x) == pytest.approx(x * math.erfc(-x / math.sqrt(2)) / 2, rel=5e-6, abs=1e-7)


@given(st.floats(-1e6, 1e6, width=32))
def test_gelu_by_a_table(x: float) -> None:
    want = x * math.erfc(-x / math.sqrt(2)) / 2
    assert one(a.gelu_table, x) == pytest.approx(want, rel=1e-6, abs=1.3e-4)


@given(st.floats(-1000, 1000, width=32))
def test_rounded(x: float) -> None:
    assert abs(one(a.rounded, x) - x) <= 0.5
    assert one(a.rounded, -x) == -one(a.rounded, x)
    assert one(a.rounded, math.floor(x) + 0.5) == (math.floor(x) + (x >= 0))


@given(vectors)
def test_quantized_is_near(x: Array) -> None:
    whole, scale = a.quantize(x)
    most = np.abs(x).max()
    if most < 1e-30:
        assert not whole.any()
        assert scale == 0
    else:
        assert np.abs(whole).max() == 127
        assert np.abs(whole * np.float64(scale) - x).max() <= 0.501 * most / 127


def test_a_row_of_zeros() -> None:
    matrix = Int8Matrix(np.array([[0, 0], [1, -0.5]], F32))
    y = matrix(np.array([[1, 1], [0, 0]], F32))
    np.testing.assert_allclose(y, np.array([[0, 0.5], [0, 0]]), atol=0.01)


def test_sums_are_from_the_first_to_the_last() -> None:
    x = np.random.default_rng(0).standard_normal(1000).astype(F32)
    want = F32(0)
    for entry in x:
        want += entry
    assert a.total(x) == want != x.sum()


def test_draws_are_from_the_softmax() -> None:
    logits = np.array([1, 0, 3, 2.5, -200], F32)
    log_p = logits.astype(float) / 0.7
    p = np.exp(log_p) / np.exp(log_p).sum()
    generator, n = a.Generator(5), 4000
    drawn = Counter(a.choose(logits, generator, 0.7, 0) for _ in range(n))
    shares = np.array([drawn[i] / n for i in range(5)])
    assert np.abs(shares - p).max() < 4 * math.sqrt(0.25 / n)
    assert drawn[4] == 0
    assert {a.choose(logits, generator, 0.7, 2) for _ in range(200)} == {2, 3}
    assert {a.choose(logits, generator, 0, 0) for _ in range(9)} == {2}
    assert {a.choose(np.zeros(4, F32), generator, 1, 2) for _ in range(99)} == {0, 1}


def test_the_generator_is_pcg32() -> None:
    """The first numbers of its demo, pcg32-demo.c, whose other increment is (54 << 1) | 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(a, "INCREMENT", 109)
        generator = a.Generator(42)
        found = [generator.bits() for _ in range(6)]
    assert found == [0xA15C02B7, 0x7B47F409, 0xBA1D3330, 0x83D2F293, 0xBFA4784B, 0xCBED606E]


HARNESS = """
#include "teenygpt.c"
#include <inttypes.h>
#include <stdio.h>

int main(void)
{
    uint32_t bits;
    while (scanf("%" SCNx32, &bits) == 1) {
        const float x = from_bits(bits);
        float quantized[2] = {x, 1.0f};
        int8_t q[2];
        const float scale = quantize(quantized, 2, q);
        printf("%" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32
               " %d %d %" PRIx32 "\\n", to_bits(exp_of(x)), to_bits(gelu(x)), to_bits(sigmoid(x)),
               to_bits(silu(x)), to_bits(tanh_of(x)), to_bits(softplus(x)), to_bits(scale), q[0],
               q[1], (uint32_t)to_kept(x));
    }
    for (bits = 0; bits < 0x10000; bits++)
        printf("%" PRIx32 "\\n", to_bits(from_kept((teenygpt_kept)bits)));
    return 0;
}
"""


@needs_gcc
def test_every_bit_is_the_same_in_c(tmp_path: Path) -> None:
    """Of all functions, at numbers of every size; and all numbers in half precision."""
    run = random_run(mixer="attention,mamba,rwkv", num_blocks=3)
    folder = written(tmp_path, run, "int8", "float16")
    (folder / "harness.c").write_text(HARNESS, encoding="utf-8")
    program = compiled(folder, "harness.c", flags=SANE if has_sanitizers() else "")
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 4000, np.uint32)
    bits = bits[np.isfinite(bits.view(F32))]
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(F32)
    between = (halves[:-1] + halves[1:]) / 2  # where half precision rounds to even
    near = np.concatenate([between[::7], np.nextafter(between[::7], F32(0)), halves[::9]])
    some = [8 * rng.standard_normal(4000), [0, -0.0, 65520, 65519.99, 1e-30, 88, -87]]
    x = np.concatenate([bits.view(F32), near, *some]).astype(F32)
    status, out, err = run_program(program, text=" ".join(f"{b:x}" for b in x.view(np.uint32)))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    with np.errstate(all="ignore"):
        pairs = np.stack([x, np.ones_like(x)], axis=1)
        whole, scale = a.quantize(pairs)
        want = [
            f(x).view(np.uint32)
            for f in (a.exp, a.gelu_table, a.sigmoid, a.silu, a.tanh, a.softplus)
        ]
        want += [scale[:, 0].view(np.uint32), x.astype(np.float16).view(np.uint16)]
    found = np.array([[int(word, 16) for word in line.split()] for line in lines[: len(x)]])
    decimal = np.array([line.split()[7:9] for line in lines[: len(x)]], dtype=int)
    for i, column in enumerate(want):
        np.testing.assert_array_equal(found[:, i if i < 7 else 9], column, err_msg=str(i))
    np.testing.assert_array_equal(decimal, whole)
    kept = np.arange(0x10000).astype(np.uint16).view(np.float16)
    back = np.array([int(line, 16) for line in lines[len(x) :]], np.uint32).view(F32)
    np.testing.assert_array_equal(back, kept.astype(F32))
