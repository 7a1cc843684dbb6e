/* (1 - e^-2x) / (1 + e^-2x), of |x|, with the sign of x. */
static float tanh_of(float x)
{
    const float e = exp_of(x < 0.0f ? 2.0f * x : -2.0f * x), t = (1.0f - e) / (1.0f + e);
    return x < 0.0f ? -t : t;
}

