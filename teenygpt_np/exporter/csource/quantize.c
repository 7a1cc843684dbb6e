/* x as whole numbers in -127..127 times the scale that is returned, max |x| / 127. */
static float quantize(const float *x, int32_t n, int8_t *q)
{
    float most = 0.0f;
    for (int32_t i = 0; i < n; i++) {
        const float size = x[i] < 0.0f ? -x[i] : x[i];
        most = size > most ? size : most;
    }
    const float factor = most < TINY ? 0.0f : 127.0f / most;
    for (int32_t i = 0; i < n; i++)
        q[i] = (int8_t)rounded(x[i] * factor);
    return most < TINY ? 0.0f : most / 127.0f;
}

