/* ln(1 + e^x) = max(x, 0) + ln(1 + e), e = e^-|x|. With s = e / (2 + e),
   ln(1 + e) = 2 artanh(s) = 2 (s + s^3/3 + s^5/5 + ...), and s is at most 1/3. */
static float softplus(float x)
{
    const float e = exp_of(x < 0.0f ? x : -x), s = e / (2.0f + e), q = s * s;
    float p = 1.0f / 15.0f;
    p = p * q + 1.0f / 13.0f;
    p = p * q + 1.0f / 11.0f;
    p = p * q + 1.0f / 9.0f;
    p = p * q + 1.0f / 7.0f;
    p = p * q + 0.2f;
    p = p * q + 1.0f / 3.0f;
    p = p * q + 1.0f;
    return (x > 0.0f ? x : 0.0f) + 2.0f * s * p;
}

