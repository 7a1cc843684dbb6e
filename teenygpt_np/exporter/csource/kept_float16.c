/* IEEE 754 half precision: 1 bit of sign, 5 of the exponent, 10 of the fraction. Rounded to the
   nearest, halves to even; above 65504 infinite. */
static teenygpt_kept to_kept(float x)
{
    const uint32_t bits = to_bits(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) /* not a number */
        return (teenygpt_kept)(sign | 0x7e00);
    if (size >= 0x477ff000) /* rounds to infinity */
        return (teenygpt_kept)(sign | 0x7c00);
    if (size < 0x38800000) /* below 2^-14: a multiple of 2^-24, to which adding 1/2 rounds it */
        return (teenygpt_kept)(sign | (to_bits(from_bits(size) + 0.5f) - 0x3f000000));
    const uint32_t even = size >> 13 & 1;
    return (teenygpt_kept)(sign | (size - 0x38000000 + 0xfff + even) >> 13);
}

static float from_kept(teenygpt_kept half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, size = half & 0x7fff;
    if (size >= 0x7c00) /* infinity, or not a number */
        return from_bits(sign | 0x7f800000 | size << 13);
    if (size < 0x400) { /* below 2^-14: a multiple of 2^-24 */
        const float x = (float)size * (1.0f / 16777216.0f);
        return sign ? -x : x;
    }
    return from_bits(sign | ((size << 13) + 0x38000000));
}

