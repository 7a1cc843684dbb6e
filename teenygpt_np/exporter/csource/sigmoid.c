/* 1 / (1 + e^-x), by the power that cannot overflow. */
static float sigmoid(float x)
{
    const float e = exp_of(x < 0.0f ? x : -x), p = 1.0f / (1.0f + e);
    return x < 0.0f ? e * p : p;
}

