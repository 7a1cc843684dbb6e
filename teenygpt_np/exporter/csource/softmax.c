/* s = e^(s - max s), and the sum of that.    s: (n) */
static float powers(float *s, int32_t n)
{
    float most = s[0], sum;
    for (int32_t t = 1; t < n; t++)
        most = s[t] > most ? s[t] : most;
    for (int32_t t = 0; t < n; t++)
        s[t] = exp_of(s[t] - most);
    sum = s[0];
    for (int32_t t = 1; t < n; t++)
        sum += s[t];
    return sum;
}

