/* See teenygpt.h. Shapes are letters: V token values, D width of the model, T tokens of a text.

   Every sum of floats is made in one order, from the first term to the last, and nothing is left to
   a library but sqrtf, whose result IEEE 754 fixes. So a computer, a board and Python agree in every
   bit. */

#include "teenygpt.h"

#include <math.h>
#include <string.h>

enum { V = TEENYGPT_VOCAB, D = TEENYGPT_WIDTH, T = TEENYGPT_TOKENS };

/* From here on a vector is not 0: the reciprocal of anything smaller may be infinite. */
#define TINY 1e-30f

/* ---- arithmetic ------------------------------------------------------------------------------ */

/* The nearest whole number; halves away from 0. */
static inline int32_t rounded(float x)
{
    return (int32_t)(x < 0.0f ? x - 0.5f : x + 0.5f);
}

/* The number with these bits, and the bits of a number. */
static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* e^x = 2^n e^r, with x = n ln 2 + r, n whole and |r| <= ln(2) / 2; e^r by its Taylor series.
   ln 2 is taken off in two parts, of which n times the first is exact. 0 below -87, e^88 above 88. */
static inline float exp_of(float x)
{
    const float inside = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const int32_t n = rounded(inside * 1.44269504f);
    const float r = (inside - (float)n * 0.693145752f) - (float)n * 1.42860677e-6f;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    p = p * from_bits((uint32_t)(n + 127) << 23);
    return x < -87.0f ? 0.0f : p;
}

