"""e^x as a polynomial: it compiles to vector instructions, the C library's to a call per entry."""

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
