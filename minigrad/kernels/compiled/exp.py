"""e^x and 2^x as polynomials: they compile to vector instructions, the C library's to calls."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from minigrad.kernels.compiled.jit import FUSED, jit

# Adding this to a float32 rounds it to an integer, which then stands in the last bits of the sum.
ROUND = np.float32(1.5 * 2**23)
TINY = 2.0**-64


@jit(fastmath=FUSED)
def power_of_two(rounded):
    """2^n / TINY, given n + ROUND with n in -190..64: n is shifted into a float32's exponent bits.

    The caller multiplies it with something that has the factor TINY, so that the product is right
    down to the smallest subnormal number. For n = 64 it is infinite.
    """
    exponent = np.float32(rounded).view(np.int32) + np.int32(127 + 64)
    return np.int32(exponent << np.int32(23)).view(np.float32)


def exp(x):
    """e^x, for use in compiled kernels: within 1.3 units in the last place in float32.

    In float32 it is infinite above 44. That is enough: a softmax subtracts its largest x first.
    """
    return type(x)(np.exp(float(x)))


@overload(exp, jit_options={"error_model": "numpy", "fastmath": FUSED})
def _exp(x):
    if x != types.float32:
        return lambda x: math.exp(x)

    f32 = np.float32
    log2_e = f32(1 / math.log(2))
    ln2_high = f32(0.693359375)  # nine bits, so n * ln2_high is exact
    ln2_low = f32(math.log(2) - 0.693359375)
    c0, c1, c2, c3, c4, c5, c6, c7 = (f32(TINY / math.factorial(k)) for k in range(8))

    def exp32(x):
        # x = n ln 2 + r with |r| <= ln(2)/2, so e^x = 2^n e^r, and Taylor's series up to r^7 leaves
        # 5e-9. At the bounds the result is 0, or n is 64 and 2^n infinite; NaN passes through.
        x = min(max(x, f32(-104)), f32(44.4))
        rounded = x * log2_e + ROUND
        n = rounded - ROUND
        r = (x - n * ln2_high) - n * ln2_low
        p = c7 * r + c6
        p = p * r + c5
        p = p * r + c4
        p = p * r + c3
        p = p * r + c2
        p = p * r + c1
        p = p * r + c0
        return p * power_of_two(rounded)

    return exp32


def exp2(x):
    """2^x for x up to 63, for use in compiled kernels: within 1 unit in the last place in float32.

    A softmax takes 2^(x log2(e)): its loops then have few enough constants to keep most of them in
    vector registers. The product's rounding is a relative error of x/2 units in the last place.
    """
    return type(x)(np.exp2(float(x)))


@overload(exp2, jit_options={"error_model": "numpy", "fastmath": FUSED})
def _exp2(x):
    if x != types.float32:
        return lambda x: np.exp2(x)

    f32 = np.float32
    # As in `power_of_two`, but what is added there is added here: one constant less in a register.
    biased_round = f32(ROUND + 127 + 64)
    c = [TINY * math.log(2) ** k / math.factorial(k) for k in range(8)]
    # Taylor's series but for r^7, which is 7/16 r^5 - 7/128 r^3 + 7/4096 r within 2^-13 where
    # |r| <= 1/2 (the Chebyshev polynomial T7, left out): what is left of 2^r is 3e-9.
    c[1], c[3], c[5] = c[1] + 7 / 4096 * c[7], c[3] - 7 / 128 * c[7], c[5] + 7 / 16 * c[7]
    c0, c1, c2, c3, c4, c5, c6 = map(f32, c[:7])

    def exp2_32(x):
        # x = n + r, and 2^x = 2^n 2^r. At the bound the result is 0; NaN passes through.
        x = max(x, f32(-150))
        rounded = x + biased_round
        r = x - (rounded - biased_round)
        p = c6 * r + c5
        p = p * r + c4
        p = p * r + c3
        p = p * r + c2
        p = p * r + c1
        p = p * r + c0
        return p * np.int32(f32(rounded).view(np.int32) << np.int32(23)).view(f32)

    return exp2_32
