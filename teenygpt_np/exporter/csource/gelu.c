/* y = x P(Z <= x), Z standard normal. P(Z > z) = e^(-z^2/2) (c1 t + ... + c9 t^9) for z >= 0, with
   t = 1 / (1 + 0.35 z) and a relative error of 3.2e-8. */
static inline float gelu(float x)
{
    const float z = x < 0.0f ? -x : x, t = 1.0f / (1.0f + 0.35f * z);
    float s = -0.02914128047f * t;
    s = (s + 0.1439486664f) * t;
    s = (s - 0.2556657618f) * t;
    s = (s + 0.1591176397f) * t;
    s = (s - 0.02307007658f) * t;
    s = (s + 0.1054907802f) * t;
    s = (s + 0.1198373387f) * t;
    s = (s + 0.1398612361f) * t;
    s = (s + 0.1396214417f) * t;
    s = s * exp_of(-0.5f * z * z);
    return x * (x > 0.0f ? 1.0f - s : s);
}

